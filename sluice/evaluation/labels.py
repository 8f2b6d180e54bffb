"""Classification: how often an answer is the right label, and F1 averaged over the labels.

Macro-F1 counts each label alike, however rare, so a model that only ever gives the commonest label
scores low. The labels are those of the reference rows: an answer that is none of them is wrong for
its row and claims no label (scikit-learn's `f1_score` with these `labels` and `average="macro"`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets  # pyright: ignore[reportMissingTypeStubs]
import evaluate  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from sluice.data.similarity import folded
from sluice.evaluation.bootstrap import Floats, RowStatistics
from sluice.evaluation.in_memory_metric import InMemoryMetric, require_pairs

# What models put around a label without meaning another one: "退款。", "**Positive**", "'spam'".
AROUND = " .,;:!?。，；：！？、*`'\"“”‘’「」『』"


class LabelScores(InMemoryMetric):
    """`evaluate.Metric`: {"label_accuracy", "macro_f1"}, shares from 0 to 1."""

    def _info(self) -> Any:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description="Share of answers that are the label, and macro-averaged F1.",
            citation="Sokolova and Lapalme 2009",
            inputs_description="predictions: answers; references: the right label of each",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
        rows = self.row_statistics(predictions, references)
        return {name: statistics.corpus_score() for name, statistics in rows.items()}

    def row_statistics(
        self, predictions: Sequence[str], references: Sequence[str | None]
    ) -> dict[str, RowStatistics]:
        """For each of the two scores, what every row adds; nothing where it has no label.

        No row with a label gives no scores at all.
        """
        require_pairs("labels", predictions, references)
        right = [None if label is None else said(label) for label in references]
        labels = sorted({label for label in right if label is not None})
        if not labels:
            return {}
        has_label = np.array([label is not None for label in right], dtype=np.float64)
        wanted = _one_hot(right, labels)
        given = _one_hot([said(answer) for answer in predictions], labels) * has_label[:, None]
        hits = wanted * given
        accuracy = np.stack([hits.sum(axis=1), has_label], axis=1)
        return {
            "label_accuracy": RowStatistics(accuracy, accuracy_of_sums),
            "macro_f1": RowStatistics(np.hstack([hits, given, wanted]), macro_f1_of_sums),
        }


def said(text: str) -> str:
    """The label that an answer names: without differences of case and spacing, or marks around."""
    plain = folded(text)
    return plain.strip(AROUND) or plain


def accuracy_of_sums(sums: Floats) -> Floats:
    """Right answers over rows with a label; NaN where a resample drew no such row."""
    with np.errstate(invalid="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def macro_f1_of_sums(sums: Floats) -> Floats:
    """Mean F1 of the labels that occur, from sums of (hits, given, wanted) for each label.

    A resample may draw no row of a rare label: then there is nothing to find of it, and the mean
    is over the others. NaN where it drew no row with a label.
    """
    hits, given, wanted = np.split(sums, 3, axis=-1)
    occurs = wanted > 0
    f1 = np.where(occurs, 2 * hits / np.maximum(given + wanted, 1), 0.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(f1.sum(axis=-1) / occurs.sum(axis=-1))


def _one_hot(values: Sequence[str | None], labels: Sequence[str]) -> Floats:
    column = {label: index for index, label in enumerate(labels)}
    found = np.zeros((len(values), len(labels)))
    for row, value in enumerate(values):
        if value is not None and value in column:
            found[row, column[value]] = 1.0
    return found
