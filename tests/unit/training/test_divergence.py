from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import TrainingError
from sluice.training.divergence import WINDOW, refuse_diverged, refuse_not_finite

NOISE = [0.4, -0.3, 0.2, -0.4, 0.1] * WINDOW


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_or_a_gradient_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(TrainingError, match=r"loss became .* at step 7.*Lower `training\.learn"):
        refuse_not_finite(7, value, 1.0)
    with pytest.raises(TrainingError, match="gradient's norm became"):
        refuse_not_finite(7, 1.0, value)
    refuse_not_finite(7, 1.0, 1e30)


def test_a_loss_that_rises_far_above_its_beginning_is_refused() -> None:
    losses = [3.0] * WINDOW + [2.0] * 30 + [9.5] * WINDOW
    with pytest.raises(TrainingError, match=r"began at 3\.00 and is at 9\.50 after 70 steps"):
        refuse_diverged(losses)


@pytest.mark.parametrize(
    "losses",
    [
        [3.0] * WINDOW + [1.0] * 50 + [2.9] * WINDOW,  # worse than its best, not than its beginning
        [3.0 + more for more in NOISE],
        [0.1] * WINDOW + [0.4] * WINDOW,  # four times as much, of very little
        [3.0] * WINDOW + [2.0] * 9 + [50.0] * 9 + [2.0] * 9,  # a few hard batches
        [1.0, 50.0],
    ],
)
def test_what_training_may_recover_from_is_let_through(losses: list[float]) -> None:
    refuse_diverged(losses)


@given(st.lists(st.floats(2.0, 3.0), min_size=2 * WINDOW, max_size=100))
def test_losses_within_a_nat_of_their_beginning_are_never_refused(losses: list[float]) -> None:
    refuse_diverged(losses)
