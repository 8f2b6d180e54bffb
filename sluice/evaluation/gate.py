"""The gate: from scores and rules to promote, reject or inconclusive. Pure, and it fails closed.

It promotes only if every rule passes; one rule that fails rejects; anything missing, not a number,
scored on too few or on other rows, or too noisy to tell is inconclusive.
"""

from __future__ import annotations

import math

from sluice.evaluation.bootstrap import Estimate
from sluice.evaluation.rules import Judged, judge_rule
from sluice.evaluation.score_table import Scores
from sluice.evaluation.verdict import Baseline, RuleLine, Verdict, Word
from sluice.recipe import GateSection

__all__ = ["RuleLine", "Verdict", "judge"]
MOST_ROWS = 1_000_000  # an effect that needs more rows than this is none that rows can settle


def judge(scores: Scores, section: GateSection) -> Verdict:
    """The verdict on a candidate.

    The baseline is the champion where it was scored, else the base model: whoever calls this makes
    sure that a champion that exists was scored.
    """
    baseline: Baseline = "champion" if "champion" in scores.models else "base"
    rows = _rows_line(scores, section.min_rows)
    judged = [judge_rule(rule, scores, baseline) for rule in section.rules]
    lines = (rows, *(j.line for j in judged))
    word = _word(rows, lines)
    settle = _rows_to_settle(scores.rows, section.min_rows, judged)
    return Verdict(
        verdict=word,
        lines=lines,
        baseline=baseline,
        rows=scores.rows,
        rows_to_settle=settle if word == "inconclusive" else None,
    )


def _word(rows: RuleLine, lines: tuple[RuleLine, ...]) -> Word:
    outcomes = [line.outcome for line in lines]
    # Too few or different rows: then a failing rule says no more than a passing one.
    if rows.outcome != "pass" or len(lines) < 2:
        return "inconclusive"
    if "fail" in outcomes:
        return "reject"
    return "promote" if all(outcome == "pass" for outcome in outcomes) else "inconclusive"


def _rows_line(scores: Scores, least: int) -> RuleLine:
    digests = [scores.rows_digests.get(model) for model in scores.models]
    if not digests or None in digests or len(set(digests)) != 1:
        outcome, reason = "inconclusive", "The models were not all scored on the same rows."
    elif not scores.rows >= least:
        outcome = "inconclusive"
        reason = f"{scores.rows} rows are too few to tell: the recipe asks for {least}."
    else:
        outcome, reason = "pass", f"All models were scored on the same {scores.rows} rows."
    return RuleLine(
        rule=f"At least {least} evaluation rows, the same for all",
        metric="rows",
        observed=float(scores.rows),
        interval=None,
        limit=float(least),
        outcome="pass" if outcome == "pass" else "inconclusive",
        reason=reason,
    )


def _rows_to_settle(rows: int, least: int, judged: list[Judged]) -> int | None:
    """More rows that would settle all open rules; None where no number of rows is likely to."""
    needed = [max(least - rows, 0)]
    for rule in judged:
        if rule.line.outcome != "inconclusive":
            continue
        more = more_rows(rows, rule.good) if rule.good else None
        if more is None:
            return None
        needed.append(more)
    return max(needed) or None


def more_rows(rows: int, good: Estimate) -> int | None:
    """More rows that would bring an estimate's lower bound to 0, if its value is and stays above.

    Intervals narrow with the square root of the rows: to shrink the half-width h to the distance d
    takes (h / d)^2 times the rows. That gives an even chance; for nine in ten take about twice it.

    Args:
        rows: rows that the estimate rests on.
        good: oriented and shifted so that what is above 0 passes; `low` is the bound that decides.
    """
    if not good.is_finite() or good.value <= 0 or rows <= 0:
        return None
    narrower = (good.value - good.low) / good.value
    if narrower > math.sqrt(MOST_ROWS / rows):
        return None
    return max(math.ceil(rows * (narrower**2 - 1)), 1)
