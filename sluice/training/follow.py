"""What a training says while it goes on: one event for each step and validation."""

from __future__ import annotations

import time
from typing import Any

import psutil
import torch
from transformers import TrainerCallback

from sluice.child_process import Event, EventWriter
from sluice.training.divergence import refuse_diverged, refuse_not_finite

cuda: Any = torch.cuda  # typed in part only


class Follower(TrainerCallback):
    """Writes each logged step as an event, and stops on a loss that no training recovers from.

    Events by `kind`: `start` (total_steps, resumed_from_step, and what the worker adds: choices,
    rows, effective_batch, trainable_parameters), `step` (step, total_steps, loss, learning_rate,
    grad_norm, tokens so far, tokens_per_second, memory_bytes, seconds, seconds_left), `validation`
    (step, total_steps, loss), `checkpoint` (step; see `keeping`) and `notice` (text for a person).
    """

    def __init__(self, emit: EventWriter, resumed_step: int, about: Event) -> None:
        self._emit, self._resumed, self._about = emit, resumed_step, about
        self._started = time.monotonic()
        self._process = psutil.Process()
        self._before: tuple[float, float] | None = None  # seconds and tokens at the last step

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started = time.monotonic()
        steps = {"total_steps": state.max_steps, "resumed_from_step": self._resumed}
        self._emit({"kind": "start", **steps, **self._about})

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        facts = {name: float(value) for name, value in (logs or {}).items()}
        event = self._event(facts, state)
        if event is None:
            return
        self._emit(event)
        refuse_not_finite(state.global_step, event["loss"], event.get("grad_norm", 0.0))
        if event["kind"] == "step":
            refuse_diverged([entry["loss"] for entry in state.log_history if "loss" in entry])

    def _event(self, logs: dict[str, float], state: Any) -> Event | None:
        common = {"step": state.global_step, "total_steps": state.max_steps}
        if "eval_loss" in logs:
            return {"kind": "validation", **common, "loss": logs["eval_loss"]}
        if "loss" not in logs:
            return None
        seconds = time.monotonic() - self._started
        tokens = logs.get("num_tokens", 0.0)
        return {
            "kind": "step",
            **common,
            "loss": logs["loss"],
            "learning_rate": logs.get("learning_rate", 0.0),
            "grad_norm": logs.get("grad_norm", 0.0),
            "tokens": tokens,
            "tokens_per_second": self._speed(seconds, tokens),
            "memory_bytes": self._memory(),
            "seconds": round(seconds, 2),
            "seconds_left": round(self._left(seconds, state), 1),
        }

    def _speed(self, seconds: float, tokens: float) -> float:
        before, self._before = self._before, (seconds, tokens)
        if before is None or seconds <= before[0]:
            return 0.0
        return round((tokens - before[1]) / (seconds - before[0]), 1)

    def _memory(self) -> int:
        if cuda.is_available():
            return int(cuda.max_memory_allocated())
        return int(self._process.memory_info().rss)

    def _left(self, seconds: float, state: Any) -> float:
        # By the steps of this process: those before a resume took none of its seconds.
        done = max(1, state.global_step - self._resumed)
        return seconds / done * (state.max_steps - state.global_step)
