"""The report: one self-contained HTML file that shows what a verdict rests on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from sluice.data.funnel import Stage
from sluice.evaluation.bootstrap import Estimate
from sluice.evaluation.charts import forest_bar, loss_chart
from sluice.evaluation.display import (
    difference_text,
    good_direction,
    interval_text,
    level_text,
    name_of,
    score_text,
)
from sluice.evaluation.samples import Sample
from sluice.evaluation.score_table import MODELS, Scores
from sluice.evaluation.verdict import RuleLine, Verdict
from sluice.recipe import LOWER_IS_BETTER

TEMPLATE = "report.html.jinja"
POINTS = ("bleu", "rouge_1", "rouge_2", "rouge_l")
CONTENT_LANG = {"en": "en", "zh": "zh-Hans"}


@dataclass(frozen=True, slots=True)
class Report:
    """All that the report shows, in the order in which it shows it.

    `facts` and `digests` are (label, value) pairs; `links` are (label, http address) pairs; the
    losses are (optimizer step, nats per token) points. `created` is the time as it shall be read.
    """

    model: str
    created: str
    verdict: Verdict
    scores: Scores
    facts: tuple[tuple[str, str], ...] = ()
    funnel: tuple[Stage, ...] = ()
    train_loss: tuple[tuple[float, float], ...] = ()
    validation_loss: tuple[tuple[float, float], ...] = ()
    samples: tuple[Sample, ...] = ()
    digests: tuple[tuple[str, str], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


def render_report(report: Report) -> str:
    """The report as HTML: every text escaped, no script, nothing fetched from anywhere."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = resources.files("sluice.evaluation").joinpath(TEMPLATE).read_text(encoding="utf-8")
    scores = report.scores
    models = [model for model in MODELS if model in scores.models]
    return environment.from_string(source).render(
        report=report,
        headline=headline(report.verdict),
        content_lang=CONTENT_LANG[scores.language],
        level=level_text(scores.confidence),
        models=models,
        others=[model for model in reversed(models) if model in scores.differences],
        rows=[_score_row(scores, metric, models) for metric in scores.metrics],
        loss=loss_chart(report.train_loss, report.validation_loss),
        most_rows=max([stage.rows for stage in report.funnel], default=0) or 1,
        links=[link for link in report.links if link[1].startswith(("http://", "https://"))],
    )


def headline(verdict: Verdict) -> str:
    """The verdict as one sentence."""
    judged = verdict.lines
    failed = sum(line.outcome == "fail" for line in judged)
    open_ = sum(line.outcome == "inconclusive" for line in judged)
    if verdict.verdict == "promote":
        return f"All {len(judged)} rules pass against the {verdict.baseline}."
    if verdict.verdict == "reject":
        return f"{_count(failed, judged)} broken, judged against the {verdict.baseline}."
    settle = (
        f"About {verdict.rows_to_settle:,} more evaluation rows would settle it."
        if verdict.rows_to_settle
        else "More evaluation rows alone are not likely to settle it."
    )
    return f"{_count(open_, judged)} undecided. {settle}"


def _count(some: int, judged: tuple[RuleLine, ...]) -> str:
    return f"{some} of {len(judged)} rules {'is' if some == 1 else 'are'}"


def _reach(scores: Scores, other: str, metric: str) -> float:
    """Scale of a metric's bar: shared by all metrics in points against the same model."""
    alike = POINTS if metric in POINTS else (metric,)
    by_metric = scores.differences[other]
    found = [by_metric[name].absolute for name in alike if name in by_metric]
    ends = [abs(end) for d in found if d.is_finite() for end in (d.low, d.high)]
    return max(ends, default=0.0)


def _score_row(scores: Scores, metric: str, models: list[Any]) -> dict[str, Any]:
    differences = {
        other: by_metric[metric].absolute
        for other, by_metric in scores.differences.items()
        if metric in by_metric
    }
    return {
        "name": name_of(metric),
        "direction": good_direction(metric),
        "scores": {
            model: _cell(score_text, metric, scores.models[model].get(metric)) for model in models
        },
        "differences": {
            other: _cell(difference_text, metric, difference)
            | {"bar": _bar(difference, _reach(scores, other, metric), metric)}
            for other, difference in differences.items()
        },
    }


def _cell(write: Any, metric: str, found: Estimate | None) -> dict[str, Any]:
    if found is None:
        return {"value": "missing", "interval": ""}
    text = partial(write, metric)
    return {"value": text(found.value), "interval": interval_text(text, found.low, found.high)}


def _bar(difference: Estimate, reach: float, metric: str) -> Markup:
    return forest_bar(difference, reach, lower_is_better=metric in LOWER_IS_BETTER)
