"""Scores of base, champion and candidate with their differences: the evidence that a gate reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sluice.evaluation.bootstrap import Estimate
from sluice.evaluation.tokens import Language

ModelName = Literal["base", "champion", "candidate"]
MODELS: tuple[ModelName, ...] = ("base", "champion", "candidate")
METRICS = (
    *("label_accuracy", "macro_f1"),  # only where evaluation rows have labels
    *("bleu", "rouge_1", "rouge_2", "rouge_l", "perplexity", "empty_rate", "cut_off_rate"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate against another model, on the same resamples.

    `absolute` is candidate - other, in the metric's unit; `relative` is candidate / other - 1, a
    share (NaN where the other's score is 0).
    """

    absolute: Estimate
    relative: Estimate


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one evaluation. BLEU and ROUGE are points (0 to 100), rates shares (0 to 1).

    `models` maps model and metric to a score; `differences` maps the other model and metric to
    candidate against it. A metric that these rows have no score of is in neither. `rows_digests`
    names, for each model, the rows that it was scored on.
    """

    language: Language
    tokenizers: Mapping[str, str]
    rows: int
    rows_digests: Mapping[str, str]
    confidence: float
    resamples: int
    seed: int
    models: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Mapping[str, Difference]]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that any model has a score of, in the order in which they are shown."""
        return tuple(m for m in METRICS if any(m in scores for scores in self.models.values()))

    def to_json(self) -> dict[str, Any]:
        """JSON-ready and strict: NaN becomes null."""
        return {
            "language": self.language,
            "tokenizers": dict(self.tokenizers),
            "rows": self.rows,
            "rows_digests": dict(self.rows_digests),
            "confidence": self.confidence,
            "resamples": self.resamples,
            "seed": self.seed,
            "models": {
                model: {metric: score.to_json() for metric, score in scores.items()}
                for model, scores in self.models.items()
            },
            "differences": {
                other: {
                    metric: {"absolute": d.absolute.to_json(), "relative": d.relative.to_json()}
                    for metric, d in differences.items()
                }
                for other, differences in self.differences.items()
            },
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Scores:
        """The inverse of `to_json`."""
        models = {
            model: {metric: Estimate.from_json(score) for metric, score in scores.items()}
            for model, scores in fields["models"].items()
        }
        differences = {
            other: {metric: _difference(d) for metric, d in by_metric.items()}
            for other, by_metric in fields["differences"].items()
        }
        read: dict[str, Any] = {**fields, "models": models, "differences": differences}
        return cls(**read)


def _difference(fields: Mapping[str, Any]) -> Difference:
    return Difference(
        Estimate.from_json(fields["absolute"]), Estimate.from_json(fields["relative"])
    )
