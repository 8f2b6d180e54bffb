"""Pairs of rows to be compared: those that share a band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

pa: Any = pyarrow  # not typed

Keep = Literal["first", "last", "longest"]
Rows = npt.NDArray[np.int64]

FIRST_OF_BUCKET = 16
NEXT_IN_BUCKET = 4


def pairs_in(table: Any, keep: Keep, starts: Sequence[int]) -> Any:
    """Pairs `row_a`, `row_b` of rows of one key, without repeats; row_a comes first by `keep`.

    Each row is paired with the first 16 rows of its key and the 4 just before it, so a key that
    very many rows share costs 20 comparisons a row and not their square. `key` is the number of
    row_b's part (`starts` holds the first row of each): bring those together for `near_copies`,
    which then sees all that is known of a row.
    """
    order = kept_first(table, keep)
    keys = table.column("key").to_numpy()[order]
    rows = table.column("row").to_numpy()[order]
    new = np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)]
    first = np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0))
    place = np.arange(len(keys)) - first
    found = [_paired(rows, first, place, k) for k in range(FIRST_OF_BUCKET)]
    # The ones before it that are not among the first.
    found += [_before(rows, place, k) for k in range(1, NEXT_IN_BUCKET + 1)]
    return pair_table(np.concatenate(found, axis=1), starts)


def pair_table(pairs: Rows, starts: Sequence[int]) -> Any:
    """Pairs as a table, each once, sorted by row_a, then row_b."""
    packed = np.unique(pairs[0].astype(np.uint64) << np.uint64(32) | pairs[1].astype(np.uint64))
    earlier = (packed >> np.uint64(32)).astype(np.int64)
    later = (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
    parts = part_of(later, np.asarray(starts)).astype(np.uint64)
    return pa.table({"row_a": earlier, "row_b": later, "key": parts})


def part_of(rows: Rows, starts: Rows) -> Any:
    """The number of the part that each row is in."""
    found: Any = np.searchsorted(starts, rows, side="right")
    return found - 1


def kept_first(table: Any, keep: Keep) -> Any:
    """The order of a table's rows by key, and within it by which of them is kept before others."""
    keys, rows = table.column("key").to_numpy(), table.column("row").to_numpy()
    if keep == "first":
        return np.lexsort((rows, keys))
    if keep == "last":
        return np.lexsort((-rows, keys))
    return np.lexsort((rows, -table.column("answer_bytes").to_numpy(), keys))


def _paired(rows: Rows, first: Rows, place: Rows, k: int) -> Rows:
    later = np.flatnonzero(place > k)
    return np.stack([rows[first[later] + k], rows[later]])


def _before(rows: Rows, place: Rows, k: int) -> Rows:
    later = np.flatnonzero(place >= FIRST_OF_BUCKET + k)
    return np.stack([rows[later - k], rows[later]])
