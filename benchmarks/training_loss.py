"""The evaluation loss of a trained model, computed in one way for every side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sluice.data.record import Record
from sluice.evaluation.likelihood import answer_likelihoods
from sluice.training.artifact import PROBE
from sluice.training.base_model import BaseModel
from sluice.training.chat import chat_row
from sluice.training.loading import load_again, load_base

BATCH = 8


class Judge:
    """Scores models on the same rows, in fp32, on the same base whatever it was trained in."""

    def __init__(
        self, base: BaseModel, tokenizer: Any, rows: Sequence[Record], system_prompt: str | None
    ) -> None:
        self._base = base
        self._rows = [chat_row(tokenizer, row, system_prompt) for row in rows]

    def loss(self, folder: Path | None, quantization: str | None = None) -> float:
        """Nats per answer token of the model in a folder; None stands for the base itself.

        `quantization` is of the base that it was trained on.
        """
        model = self._model(folder, quantization)
        found = answer_likelihoods(model, self._rows, batch_size=BATCH)
        return sum(one.nll for one in found) / sum(one.tokens for one in found)

    def _model(self, folder: Path | None, quantization: str | None) -> Any:
        if folder is None:
            return load_base(self._base.folder, "fp32")
        return load_again(folder, self._base.folder, "fp32", quantization=quantization)


def trained_bytes(folder: Path) -> int:
    """The size of what was trained: all safetensors of a model's folder but the probe."""
    found = (path for path in folder.rglob("*.safetensors") if path.name != PROBE)
    return sum(path.stat().st_size for path in found)
