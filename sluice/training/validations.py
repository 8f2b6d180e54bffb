"""What the validation losses of a training say: which step was best, and whether to stop."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATE = "trainer_state.json"  # transformers' name: the history that comes back with a checkpoint


@dataclass(frozen=True, slots=True)
class Validations:
    """Validation losses by step, in order. All that is decided by them is read from here alone,
    so that a resumed training decides as the one that was killed would have."""

    losses: tuple[tuple[int, float], ...]

    @classmethod
    def of(cls, history: Sequence[dict[str, Any]]) -> Validations:
        """Those in transformers' log history."""
        found = [(e["step"], e["eval_loss"]) for e in history if "eval_loss" in e]
        return cls(tuple(found))

    @classmethod
    def in_checkpoint(cls, checkpoint: Path) -> Validations:
        """Those that came before a checkpoint."""
        state = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
        return cls.of(state["log_history"])

    @property
    def best_step(self) -> int | None:
        """The step with the lowest loss, the first of equals; None if there was no validation."""
        if not self.losses:
            return None
        return min(self.losses, key=lambda step_and_loss: step_and_loss[1])[0]

    def no_better_for(self, patience: int | None) -> bool:
        """Whether the last `patience` losses are all no better than the best one before them."""
        if patience is None or not self.losses:
            return False
        after = sum(step > (self.best_step or 0) for step, _ in self.losses)
        return after >= patience
