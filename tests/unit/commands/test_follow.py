"""What people read while a training goes on, and what its step says of it afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from commands.follow import bar_of
from sluice.refs import ModelRef
from tasks.trained_line import trained_line

STEP = {
    "kind": "step",
    "step": 12,
    "total_steps": 66,
    "loss": 3.3214,
    "tokens_per_second": 812.4,
    "seconds_left": 200.0,
}
MODEL = ModelRef("models/m", "0123456789ab" + "c" * 52, base="base", method="lora")
HISTORY = [{"kind": "start"}, {**STEP, "loss": 3.32}, {"kind": "validation", "loss": 9.0}]


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (STEP, ("training  step 12/66  loss 3.321  812 tokens/s  about 3 min left", 12, 66)),
        (
            {**STEP, "tokens_per_second": 0.0},
            ("training  step 12/66  loss 3.321  about 3 min left", 12, 66),
        ),
        (
            {"kind": "start", "total_steps": 66, "resumed_from_step": 0},
            ("training  66 steps", 0, 66),
        ),
        (
            {"kind": "start", "total_steps": 66, "resumed_from_step": 40},
            ("training  66 steps, from step 40 on", 40, 66),
        ),
        ({"model": "champion", "phase": "score", "done": 3, "total": 9}, ("champion: score", 3, 9)),
        ({"kind": "notice", "text": "3 answers were cut"}, None),
        ({"kind": "validation", "loss": 2.0, "step": 12, "total_steps": 66}, None),
    ],
)
def test_the_bar_tells_step_loss_speed_and_time_left(
    event: dict[str, Any], shown: tuple[str, int, int] | None
) -> None:
    assert bar_of(event) == shown


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({"steps": 66}, "lora, 66 steps, loss 3.32 → 2.41, model 0123456789ab"),
        (
            {"steps": 66, "kept_step": 40},
            "lora, 66 steps, the weights of step 40, loss 3.32 → 2.41, model 0123456789ab",
        ),
        (
            {"steps": 66, "kept_step": 66, "replay": {"new": 70, "older": 30, "general": 0}},
            "lora, 66 steps, loss 3.32 → 2.41, 70 new + 30 older rows, model 0123456789ab",
        ),
    ],
)
def test_the_train_steps_line_says_what_was_trained(facts: dict[str, Any], line: str) -> None:
    assert trained_line(MODEL, facts, [*HISTORY, {**STEP, "loss": 2.41}]) == line


def test_a_training_without_events_is_told_without_losses() -> None:
    assert trained_line(MODEL, {"steps": 0}, []) == "lora, 0 steps, model 0123456789ab"
