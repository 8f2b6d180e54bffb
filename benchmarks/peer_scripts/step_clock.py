"""What both peer trainers note while they train: when each step ended, and its tokens.

The scripts beside it import it by its bare name: their folder is on the path of whoever runs them.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import ctypes
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

Collator = Callable[..., dict[str, Any]]
PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when the benchmark dies, so that none is left computing."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class StepClock(TrainerCallback):
    """Notes the end of each optimizer step; what comes between trainings and files is not in it."""

    def __init__(self) -> None:
        self._ends: list[float] = []
        self._tokens: list[int] = []

    def counted(self, collate: Collator) -> Collator:
        """A collator that also notes how many tokens of each batch are not padding.

        Batches are collated in the order in which they are trained on, one for each step.
        """

        def collate_and_count(*args: Any, **more: Any) -> dict[str, Any]:
            batch = collate(*args, **more)
            self._tokens.append(int(batch["attention_mask"].sum()))
            return batch

        return collate_and_count

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._ends.append(time.monotonic())

    def write(self, path: Path, model: Any) -> None:
        """Leave the notes as JSON, with what the model computed in.

        `step_ends` are seconds on a clock of this process; `tokens` are of the same steps.
        """
        facts = {
            "step_ends": self._ends,
            "tokens": self._tokens[: len(self._ends)],
            "threads": torch.get_num_threads(),
            "weights": str(next(model.parameters()).dtype),
        }
        path.write_text(json.dumps(facts))
