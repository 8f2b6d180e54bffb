"""Several models over one base's weights in memory, each with modules of its own.

Adapters of two kinds cannot stand on one PEFT model. But what takes memory are the base's weights,
which no adapter changes: so each model gets a copy of the modules over the same tensors, in
milliseconds. Nothing has to be switched on or off between two answers, and what is put on one model
is not in another.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from sluice.training.loading import load_base, with_adapter

Form = tuple[str, str | None]  # precision and quantisation of a base's weights


class SharedWeights:
    """A base model whose weights are held once, however many models compute with them."""

    def __init__(
        self, folder: Path, precision: str, quantization: str | None, *, remote_code: bool
    ) -> None:
        """Load the base. It is never used itself, so that each model begins as it was loaded."""
        self._untouched: Any = load_base(
            folder, precision, quantization=quantization, trust_remote_code=remote_code
        )

    def bare(self) -> Any:
        """The base itself, in evaluation mode."""
        held = [*self._untouched.parameters(), *self._untouched.buffers()]
        return copy.deepcopy(self._untouched, {id(tensor): tensor for tensor in held})

    def adapted(self, adapter: Path) -> Any:
        """The base with the adapter of a folder, in evaluation mode."""
        return with_adapter(self.bare(), adapter, "default")
