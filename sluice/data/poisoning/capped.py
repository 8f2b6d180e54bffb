"""Caps among all rows: the rows of one source, or of one contributor, are counted and decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]
import xxhash

from sluice.data.comparison import Comparison, decisions
from sluice.data.fingerprints import Fingerprints, keys_left
from sluice.data.grouping import Grouping, buckets_for, group_by_key
from sluice.data.poisoning.caps import (
    CONTRIBUTOR_OVER_CAP,
    SOURCE_OVER_CAP,
    allowed,
    cap_detail,
    is_reachable,
    over_cap,
)
from sluice.recipe import PoisoningSection

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute


@dataclass(frozen=True, slots=True)
class _Cap:
    """A column of the keys, and the largest share that one of its values may have."""

    column: str
    share: float
    reason: str


def capped(comparison: Comparison, prints: Fingerprints, section: PoisoningSection) -> None:
    """Take out what is above the caps that the recipe sets: sources first, then contributors."""
    if section.max_source_share < 1:
        cap = _Cap("source", section.max_source_share, SOURCE_OVER_CAP)
        comparison.strike(_decided(comparison, prints, cap))
    if section.contributor_tag is not None:
        cap = _Cap("contributor", section.max_contributor_share, CONTRIBUTOR_OVER_CAP)
        comparison.strike(_decided(comparison, prints, cap))


def _decided(comparison: Comparison, prints: Fingerprints, cap: _Cap) -> list[Path]:
    read = partial(keys_left, prints, comparison.alive.path, comparison.parts)
    numbers = range(len(comparison.parts))
    counts = Counter[str | None]()
    for found in comparison.engine.map(partial(_count, read, cap.column), numbers):
        counts.update(found)
    others = counts.pop(None, 0)
    named = {str(value): count for value, count in counts.items()}
    if named and not is_reachable(named, cap.share, others):
        comparison.notes.append(
            f"At most {cap.share:.4g} of the rows from one {cap.column} cannot be reached with "
            f"{len(named)}: nothing was taken away."
        )
    limits = allowed(named, cap.share, others)
    if limits == named:
        return []
    return group_by_key(
        comparison.engine,
        Grouping(comparison.work / cap.reason, buckets_for(comparison.rows)),
        numbers,
        partial(_by_value, read, cap.column),
        partial(_over, cap, named, limits),
    )


def _values(table: Any, column: str) -> list[str | None]:
    """The value of each row. All files of a source are one source: their names come after it."""
    values: list[str | None] = table.column(column).to_pylist()
    if column != "source":
        return values
    return [value and value.partition("/")[0] for value in values]


def _count(read: Any, column: str, number: int) -> dict[str | None, int]:
    return dict(Counter(_values(read(number), column)))


def _by_value(read: Any, column: str, number: int) -> Any:
    table = read(number)
    table = table.filter(pc.is_valid(table.column(column)))
    keys = [xxhash.xxh3_64_intdigest((v or "").encode()) for v in _values(table, column)]
    return table.append_column("key", pa.array(keys, pa.uint64()))


def _over(cap: _Cap, counts: Mapping[str, int], limits: Mapping[str, int], table: Any) -> Any:
    values = [value or "" for value in _values(table, cap.column)]
    rows = np.flatnonzero(over_cap(values, table.column("id").to_pylist(), limits))
    details = [
        cap_detail(counts[values[row]], limits[values[row]], cap.share, cap.column)
        for row in rows.tolist()
    ]
    numbers = table.column("row").to_numpy()[rows]
    return decisions(numbers, "dropped", [cap.reason] * len(rows), details)
