"""Duplicates and conflicts among all rows: which rows of equal keys come together is told here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.comparison import Comparison, alive_rows
from sluice.data.duplicates.bands import bands_for
from sluice.data.duplicates.conflicts import CONFLICTING_ANSWERS, Conflicts, decide_conflicts
from sluice.data.duplicates.exact import decide_exact
from sluice.data.duplicates.near import near_copies
from sluice.data.duplicates.pairs import pairs_in
from sluice.data.fingerprints import Fingerprints, keys_left
from sluice.data.grouping import Grouping, buckets_for, group_by_key, read_table
from sluice.data.parts import Part

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute

BAND_ROWS = 1_000_000  # three numbers each
PARTS_TOGETHER = 4  # parts whose candidates are compared by one job


def exact_duplicates(comparison: Comparison, prints: Fingerprints) -> list[Path]:
    """Decisions about all but one of equal rows."""
    read = partial(_keys, prints, comparison.alive.path, comparison.parts, "text_key")
    decide = partial(decide_exact, keep=prints.section.keep)
    return _grouped(comparison, "exact", read, decide)


def conflicts(comparison: Comparison, prints: Fingerprints) -> list[Path]:
    """Decisions about rows whose answers contradict each other; released ones stay."""
    read = partial(_keys, prints, comparison.alive.path, comparison.parts, "question_key")
    decide = partial(_unreleased_conflicts, conflicts=prints.section.conflicts)
    return _grouped(comparison, "conflicts", read, decide)


def near_duplicates(comparison: Comparison, prints: Fingerprints) -> list[Path]:
    """Decisions about rows that are near copies of an earlier one."""
    parts, section = comparison.parts, prints.section
    starts = [part.start for part in parts]
    bands, _ = bands_for(section.similarity)
    pairs = group_by_key(
        comparison.engine,
        Grouping(comparison.work / "pairs", buckets_for(comparison.rows * bands, BAND_ROWS)),
        range(len(parts)),
        partial(_bands, prints, comparison.alive.path, parts),
        partial(pairs_in, keep=section.keep, starts=starts),
    )
    stores = [prints.store(part.number) for part in parts]
    return group_by_key(
        comparison.engine,
        Grouping(comparison.work / "near", max(1, len(parts) // PARTS_TOGETHER)),
        range(len(pairs)),
        partial(_pairs, pairs),
        partial(
            near_copies,
            stores=stores,
            starts=starts,
            similarity=section.similarity,
            exchanged=section.exchanged_words,
        ),
    )


def _grouped(comparison: Comparison, name: str, read: Any, decide: Any) -> list[Path]:
    grouping = Grouping(comparison.work / name, buckets_for(comparison.rows))
    return group_by_key(comparison.engine, grouping, range(len(comparison.parts)), read, decide)


def _keys(prints: Fingerprints, alive: Path, parts: Sequence[Part], key: str, number: int) -> Any:
    left = keys_left(prints, alive, parts, number)
    return left.append_column("key", left.column(key))


def _bands(prints: Fingerprints, alive: Path, parts: Sequence[Part], number: int) -> Any:
    table = read_table(prints.bands(number))
    left = np.asarray(alive_rows(alive, parts[number]))
    rows = table.column("row").to_numpy() - parts[number].start
    return table.filter(pa.array(left[rows]))


def _pairs(files: Sequence[Path], number: int) -> Any:
    return read_table(files[number])


def _unreleased_conflicts(table: Any, conflicts: Conflicts) -> Any:
    decided = decide_conflicts(table, conflicts)
    released = pc.equal(table.column("released"), CONFLICTING_ANSWERS).fill_null(False)
    rows = table.filter(released).column("row")
    return decided.filter(pc.invert(pc.is_in(decided.column("row"), value_set=rows)))
