"""Batches of rows of similar length, so that little is computed on padding."""

from __future__ import annotations

from collections.abc import Sequence


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Row numbers in batches, longest rows first: what does not fit in memory fails at once."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    return [order[start : start + size] for start in range(0, len(order), size)]
