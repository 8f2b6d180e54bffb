"""What a training says while it goes on: one event for each step, validation and checkpoint."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import psutil
from transformers import TrainerCallback

from sluice.child_process import Event, EventWriter
from sluice.errors import TrainingError
from sluice.training.checkpoints import seal


class Follower(TrainerCallback):
    """Writes each logged step as an event, seals each checkpoint, and stops on a NaN.

    Events by `kind`: `start` (total_steps, resumed_from_step), `step` (step, total_steps, loss,
    learning_rate, grad_norm, tokens so far, tokens_per_second, memory_bytes, seconds),
    `validation` (step, total_steps, loss), `checkpoint` (step) and `notice` (text for a person).
    """

    def __init__(self, emit: EventWriter, work: Path, resumed_step: int) -> None:
        self._emit, self._work, self._resumed = emit, work, resumed_step
        self._started = time.monotonic()
        self._process = psutil.Process()
        self._before: tuple[float, float] | None = None  # seconds and tokens at the last step

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._emit(
            {"kind": "start", "total_steps": state.max_steps, "resumed_from_step": self._resumed}
        )

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        facts = {name: float(value) for name, value in (logs or {}).items()}
        event = self._event(facts, state)
        if event is None:
            return
        self._emit(event)
        if not math.isfinite(event["loss"]):
            raise TrainingError(
                f"The loss became {event['loss']} at step {state.global_step}. Training was "
                "stopped and no model was kept. Lower `training.learning_rate` (LoRA: 1e-4 to "
                "2e-4), or set `training.precision: fp32`."
            )

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
            "memory_bytes": self._process.memory_info().rss,
            "seconds": round(seconds, 2),
        }

    def _speed(self, seconds: float, tokens: float) -> float:
        before, self._before = self._before, (seconds, tokens)
        if before is None or seconds <= before[0]:
            return 0.0
        return round((tokens - before[1]) / (seconds - before[0]), 1)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        seal(self._work / f"checkpoint-{state.global_step}")
        self._emit({"kind": "checkpoint", "step": state.global_step})
