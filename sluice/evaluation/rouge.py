"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004): mean F1 over rows, in points from 0 to 100 like BLEU.

Points, so that a margin of 1.0 in a recipe means the same for both. The F1 of a row comes from
rouge_score_rs, whose English scores are those of rouge_score (a test compares them).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets  # pyright: ignore[reportMissingTypeStubs]
import evaluate  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from sluice.evaluation.bootstrap import Floats, RowStatistics
from sluice.evaluation.in_memory_metric import InMemoryMetric, require_pairs
from sluice.evaluation.tokens import ROUGE_TOKENIZER, rouge_tokenizer

KINDS = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


class Rouge(InMemoryMetric):
    """`evaluate.Metric`: {"rouge_1", "rouge_2", "rouge_l": points, "tokenizer": name}."""

    def _info(self) -> Any:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description="Mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L, 0 to 100, without stemming.",
            citation="Lin 2004",
            inputs_description="predictions: answers; references: one reference answer each",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
        rows = self.row_statistics(predictions, references)
        scores: dict[str, Any] = {name: kind.corpus_score() for name, kind in rows.items()}
        return scores | {"tokenizer": ROUGE_TOKENIZER[self.language]}

    def row_statistics(
        self, predictions: Sequence[str], references: Sequence[str]
    ) -> dict[str, RowStatistics]:
        """For each kind of ROUGE, the F1 of every row in points."""
        require_pairs("ROUGE", predictions, references)
        scorer = _scorer(rouge_tokenizer(self.language))
        rows: list[dict[str, Any]] = scorer.score_batch(references, predictions)
        return {
            name: mean_statistics([100.0 * row[kind].fmeasure for row in rows])
            for name, kind in KINDS.items()
        }


def _scorer(tokenizer: Any) -> Any:
    import rouge_score_rs

    library: Any = rouge_score_rs
    return library.RougeScorer(list(KINDS.values()), tokenizer=tokenizer)


def mean_statistics(values: Sequence[float]) -> RowStatistics:
    """Row statistics of a plain mean over rows."""
    column = np.asarray(values, dtype=np.float64)
    return RowStatistics(np.stack([column, np.ones_like(column)], axis=1), ratio_of_sums)


def ratio_of_sums(sums: Floats) -> Floats:
    """First sum over second: a mean."""
    return np.asarray(sums[..., 0] / sums[..., 1])
