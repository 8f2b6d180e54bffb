"""Batches of rows of similar length, so that little is computed on padding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby


def by_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Row numbers in batches, longest rows first: what does not fit in memory fails at once."""
    order = _longest_first(lengths)
    return [order[start : start + size] for start in range(0, len(order), size)]


def of_equal_length(lengths: Sequence[int], size: int) -> list[list[int]]:
    """The same without any padding: each batch holds rows of one length."""
    alike = groupby(_longest_first(lengths), key=lambda row: lengths[row])
    batches: list[list[int]] = []
    for _, rows in alike:
        order = list(rows)
        batches += [order[start : start + size] for start in range(0, len(order), size)]
    return batches


def _longest_first(lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
