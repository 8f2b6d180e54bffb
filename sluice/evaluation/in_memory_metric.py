"""The base of our `evaluate.Metric` classes: they are instantiated directly and touch nothing else.

`evaluate.load` is never called: it needs the hub, and looks for `./bleu/bleu.py` in the current
folder first, which it would run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sluice.errors import EvaluationError
from sluice.evaluation.tokens import Language

os.environ.setdefault("HF_EVALUATE_OFFLINE", "1")  # before the import, which reads it once
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")

import evaluate  # pyright: ignore[reportMissingTypeStubs]

if TYPE_CHECKING:
    Metric = Any
else:
    Metric = evaluate.Metric


class InMemoryMetric(Metric):
    """An `evaluate.Metric` for one language that keeps its rows in memory and writes no files."""

    def __init__(self, language: Language = "en") -> None:
        self.language: Language = language
        untyped: Any = super()
        untyped.__init__(config_name=language, keep_in_memory=True)

    def _build_data_dir(self) -> str:
        # The original creates a folder in the user's home, which may be read-only.
        return ""


def require_pairs(metric: str, predictions: Sequence[Any], references: Sequence[Any]) -> None:
    """Refuse what has no score: no rows, or rows without a partner."""
    if not predictions or len(predictions) != len(references):
        raise EvaluationError(
            f"{metric}: {len(predictions)} predictions and {len(references)} references. "
            "It needs at least one row, and as many of one as of the other."
        )
