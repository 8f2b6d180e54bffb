"""The evidence as short Markdown, for the approval form and for a run's artifact."""

from __future__ import annotations

import re

from sluice.evaluation.display import (
    difference_text,
    good_direction,
    interval_text,
    level_text,
    name_of,
    score_text,
)
from sluice.evaluation.report import Report, headline
from sluice.evaluation.samples import Sample
from sluice.evaluation.score_table import MODELS, Scores
from sluice.evaluation.verdict import RuleLine, Verdict

SAMPLES = 3
LONGEST = 240  # characters of an answer that are shown
MARKS = {"pass": "pass", "fail": "FAIL", "inconclusive": "undecided"}
WORDS = {"promote": "Promote", "reject": "Reject", "inconclusive": "Inconclusive"}
SPECIAL = re.compile(r"([\\`*_\[\]|~$])")


def render_markdown(report: Report) -> str:
    """Verdict, rules, scores and a few answers of a report, as Markdown."""
    parts = [
        _heading(report.model, report.verdict),
        _rules(report.verdict.lines),
        _scores(report.scores),
        *(_sample(sample) for sample in report.samples[:SAMPLES]),
    ]
    return "\n\n".join(parts) + "\n"


def escaped(text: str, longest: int = LONGEST) -> str:
    """Text that shows as itself in a Markdown table: one line, nothing interpreted, cut if long."""
    line = " ".join(text.split())
    cut = line if len(line) <= longest else line[: longest - 1] + "…"
    plain = cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\1", plain)


def _heading(model: str, verdict: Verdict) -> str:
    return f"## {WORDS[verdict.verdict]}: {escaped(model)}\n\n{escaped(headline(verdict))}"


def _rules(lines: tuple[RuleLine, ...]) -> str:
    # A list, not a table: the form that shows this is narrow and would cut the reasons off.
    return "\n".join(
        f"- **{MARKS[line.outcome]}**: {escaped(line.rule)}. {escaped(line.reason)}"
        for line in lines
    )


def _scores(scores: Scores) -> str:
    models = [model for model in MODELS if model in scores.models]
    baseline = next(model for model in reversed(models) if model in scores.differences)
    names = {
        m: f"{name_of(m)} {'↓' if good_direction(m) == 'lower' else '↑'}" for m in scores.metrics
    }
    points = _table(
        ("", *(model.capitalize() for model in models)),
        [(names[m], *(_score(scores, model, m) for model in models)) for m in scores.metrics],
    )
    level = level_text(scores.confidence)
    differences = _table(
        (f"Candidate − {baseline}", "", f"{level} interval"),
        [(names[m], *_difference(scores, baseline, m)) for m in scores.metrics],
    )
    note = f"{scores.rows} held-out rows; paired bootstrap, {scores.resamples} resamples."
    return f"{points}\n\n{differences}\n\n{note}"


def _score(scores: Scores, model: str, metric: str) -> str:
    found = scores.models[model].get(metric)
    return "missing" if found is None else score_text(metric, found.value)


def _difference(scores: Scores, other: str, metric: str) -> tuple[str, str]:
    difference = scores.differences[other].get(metric)
    if difference is None:
        return "missing", ""
    found = difference.absolute
    interval = interval_text(lambda v: difference_text(metric, v), found.low, found.high)
    return f"**{difference_text(metric, found.value)}**", escaped(interval)


def _sample(sample: Sample) -> str:
    lines = [f"- Reference: {escaped(sample.reference)}"]
    lines += [
        f"- {model.capitalize()}: {escaped(sample.answers[model]) or 'empty answer'}"
        for model in MODELS
        if model in sample.answers
    ]
    return f"**{escaped(sample.question)}**\n\n" + "\n".join(lines)


def _table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
