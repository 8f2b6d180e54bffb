"""When the loss says that a training has gone wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from sluice.errors import TrainingError

WINDOW = 20  # steps; the median of as many is not moved by a few hard batches
TIMES = 2.0
NATS = 1.0
_LOWER = (
    "Lower `training.learning_rate` (LoRA: 1e-4 to 2e-4; all weights: 1e-5 to 2e-5), or set "
    "`training.precision: fp32`."
)


def refuse_not_finite(step: int, loss: float, grad_norm: float) -> None:
    """Stop at a loss or a gradient that is NaN or infinite: no later step mends the weights.

    Raises:
        TrainingError: one of them is.
    """
    for what, value in (("loss", loss), ("gradient's norm", grad_norm)):
        if not math.isfinite(value):
            raise TrainingError(
                f"The {what} became {value} at step {step}. Training was stopped and no model was "
                f"kept. {_LOWER}"
            )


def refuse_diverged(losses: Sequence[float]) -> None:
    """Stop a training that makes the model worse than it was.

    Diverged: the median loss of the last 20 steps is both twice that of the first 20 and one nat
    above it. It is compared with the beginning, not with the best: a loss that rises from its best
    but stays below where it began may be hard rows; above it, no learning is left to lose. The
    nat spares a champion that begins at a loss of 0.1, where noise alone may double it.

    Args:
        losses: of every step so far, in order.

    Raises:
        TrainingError: it has diverged.
    """
    if len(losses) < 2 * WINDOW:
        return
    first, last = median(losses[:WINDOW]), median(losses[-WINDOW:])
    if last > TIMES * first and last > first + NATS:
        raise TrainingError(
            f"The loss diverged: it began at {first:.2f} and is at {last:.2f} after "
            f"{len(losses)} steps (medians of {WINDOW}). Training was stopped and no model was "
            f"kept. {_LOWER} More warm-up (`training.warmup_ratio`) may help, too."
        )
