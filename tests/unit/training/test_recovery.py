from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.training.recovery import halved


@given(st.integers(2, 512), st.integers(1, 64))
def test_halving_keeps_the_rows_of_a_step(batch: int, accumulation: int) -> None:
    smaller, more = halved(batch, accumulation)
    assert 1 <= smaller <= batch // 2
    assert smaller * more == batch * accumulation


def test_one_row_cannot_be_halved() -> None:
    assert halved(1, 8) == (1, 8)
    assert halved(8, 1) == (4, 2)
    assert halved(3, 2) == (1, 6)
    assert halved(7, 1) == (1, 7)
