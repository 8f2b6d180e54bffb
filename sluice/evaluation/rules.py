"""The rules of the gate, one function each. Each gives a line with the numbers and a reason.

Everything is judged with "more is better": scores where less is better are negated first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sluice.evaluation.bootstrap import Estimate
from sluice.evaluation.display import (
    difference_text,
    interval_text,
    level_text,
    name_of,
    score_text,
    share_text,
)
from sluice.evaluation.score_table import Scores
from sluice.evaluation.verdict import Baseline, Outcome, RuleLine
from sluice.recipe import LOWER_IS_BETTER, BetterRule, GateRule, LimitRule, NotWorseRule


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged rule. `good` is its estimate moved so that a lower bound above 0 passes, if any."""

    line: RuleLine
    good: Estimate | None = None


def judge_rule(rule: GateRule, scores: Scores, baseline: Baseline) -> Judged:
    """Judge one rule of the recipe."""
    if isinstance(rule, BetterRule):
        return _better(rule, scores, baseline)
    if isinstance(rule, NotWorseRule):
        return _not_worse(rule, scores, baseline)
    return Judged(_limit(rule, scores))


def _better(rule: BetterRule, scores: Scores, baseline: Baseline) -> Judged:
    other = baseline if rule.than == "baseline" else rule.than
    text = f"{name_of(rule.metric)} better than {other}"
    found = _found(scores, other, rule.metric, relative=False)
    if found is None:
        return Judged(_unknown(text, rule.metric, 0.0, other))
    good = _oriented(found, rule.metric)
    outcome: Outcome = "inconclusive"
    if good.low > 0:
        outcome = "pass"
    elif good.high < 0:
        outcome = "fail"
    where = {
        "pass": "lies wholly on the better side of 0",
        "fail": "lies wholly on the worse side of 0",
        "inconclusive": "reaches 0, so the difference may be chance",
    }[outcome]
    write = partial(difference_text, rule.metric)
    seen = interval_text(write, found.low, found.high)
    reason = (
        f"{write(found.value)} against {other}; the {level_text(scores.confidence)} interval "
        f"{seen} {where}."
    )
    interval = (found.low, found.high)
    line = RuleLine(text, rule.metric, found.value, interval, 0.0, outcome, reason)
    return Judged(line, good)


def _not_worse(rule: NotWorseRule, scores: Scores, baseline: Baseline) -> Judged:
    """Non-inferiority: the worst plausible loss keeps the margin, or the best one breaks it.

    The bounds are one-sided at the same level, since only one side can hurt. A relative margin is
    judged on the ratio of the two scores in each resample.
    """
    other = baseline if rule.than == "baseline" else rule.than
    write: Callable[[float], str] = (
        share_text if rule.relative else partial(difference_text, rule.metric)
    )
    margin = write(rule.margin).removeprefix("+")
    text = f"{name_of(rule.metric)} not worse than {other} by more than {margin}"
    limit = rule.margin if rule.metric in LOWER_IS_BETTER else -rule.margin
    found = _found(scores, other, rule.metric, relative=rule.relative)
    if found is None:
        return Judged(_unknown(text, rule.metric, limit, other, relative=rule.relative))
    good = _oriented(found, rule.metric)
    outcome: Outcome = "inconclusive"
    if good.floor >= -rule.margin:
        outcome = "pass"
    elif good.ceiling < -rule.margin:
        outcome = "fail"
    reason = _margin_reason(rule, scores.confidence, found, write, outcome)
    line = RuleLine(
        text, rule.metric, found.value, (found.floor, found.ceiling), limit, outcome, reason,
        rule.relative,
    )  # fmt: skip
    return Judged(line, _shifted(good, rule.margin))


def _margin_reason(
    rule: NotWorseRule,
    confidence: float,
    found: Estimate,
    write: Callable[[float], str],
    outcome: Outcome,
) -> str:
    lower = rule.metric in LOWER_IS_BETTER
    worst, best = (found.ceiling, found.floor) if lower else (found.floor, found.ceiling)
    margin = write(rule.margin if lower else -rule.margin)
    level = level_text(confidence)
    if outcome == "pass":
        return f"{write(found.value)}; at worst {write(worst)} ({level}), within {margin}."
    if outcome == "fail":
        return f"{write(found.value)}; at best {write(best)} ({level}), beyond {margin}."
    return (
        f"{write(found.value)}; anything from {write(worst)} to {write(best)} is plausible "
        f"({level} each way), and {margin} lies between."
    )


def _limit(rule: LimitRule, scores: Scores) -> RuleLine:
    """A hard limit, judged on the point score; the interval is shown and does not count.

    The rule is an acceptance test on rows that were all seen, not a claim about unseen ones. And
    near its end a rate has no usable interval: 0 empty answers of 90 resample to [0, 0], while an
    exact bound (3.3 %) would keep a perfect model from ever passing "at most 2 %".
    """
    limit = score_text(rule.metric, rule.limit)
    text = f"{name_of(rule.metric)} {rule.rule.replace('_', ' ')} {limit}"
    found = scores.models.get("candidate", {}).get(rule.metric)
    if found is None or not found.is_finite():
        return _unknown(text, rule.metric, rule.limit, None)
    keeps = found.value <= rule.limit if rule.rule == "at_most" else found.value >= rule.limit
    write = partial(score_text, rule.metric)
    reason = (
        f"{write(found.value)} on these rows {'keeps' if keeps else 'breaks'} the limit "
        f"({level_text(scores.confidence)} interval {interval_text(write, found.low, found.high)})."
    )
    return RuleLine(
        text, rule.metric, found.value, (found.low, found.high), rule.limit,
        "pass" if keeps else "fail", reason,
    )  # fmt: skip


def _found(scores: Scores, other: str, metric: str, *, relative: bool) -> Estimate | None:
    difference = scores.differences.get(other, {}).get(metric)
    if difference is None:
        return None
    found = difference.relative if relative else difference.absolute
    return found if found.is_finite() else None


def _unknown(
    text: str, metric: str, limit: float, other: str | None, *, relative: bool = False
) -> RuleLine:
    against = f" against {other}" if other else ""
    reason = f"There is no usable {name_of(metric)}{against}: it is missing or not a number."
    return RuleLine(text, metric, None, None, limit, "inconclusive", reason, relative)


def _oriented(found: Estimate, metric: str) -> Estimate:
    if metric not in LOWER_IS_BETTER:
        return found
    return Estimate(-found.value, -found.high, -found.low, -found.ceiling, -found.floor)


def _shifted(good: Estimate, margin: float) -> Estimate:
    # `low` becomes the one-sided bound: it is the one that decides here.
    return Estimate(
        good.value + margin, good.floor + margin, good.ceiling + margin,
        good.floor + margin, good.ceiling + margin,
    )  # fmt: skip
