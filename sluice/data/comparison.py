"""The state of a comparison of rows: where each row is, and which have gone, and why.

Rows are numbered through all parts. Decisions are Arrow tables of `DECISION_SCHEMA`, sorted by
row, one file for each job that made some; which rows are left is one byte a row in a file that
all jobs map.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.compute import Engine
from sluice.data.grouping import read_table
from sluice.data.outcomes import with_reasons
from sluice.data.parts import Part

pa: Any = pyarrow  # not typed
DECISION_SCHEMA: Any = pa.schema(
    [("row", pa.int64()), ("fate", pa.string()), ("reason", pa.string()), ("detail", pa.string())]
)


class Alive:
    """Which rows are left, in a file that every process can map."""

    def __init__(self, path: Path, rows: int) -> None:
        """All rows are left."""
        self.path = path
        np.save(path, np.ones(rows, dtype=np.bool_))

    def strike(self, decisions: Sequence[Path]) -> None:
        """Take the rows of these decisions out."""
        alive = np.load(self.path, mmap_mode="r+")
        for path in decisions:
            alive[read_table(path).column("row").to_numpy()] = False
        alive.flush()


class Comparison:
    """A comparison of all rows that is under way."""

    def __init__(self, engine: Engine, work: Path, parts: Sequence[Part]) -> None:
        """All rows are left; `work` is a folder for files of its own."""
        self.engine, self.work, self.parts = engine, work, parts
        self.rows = sum(part.rows for part in parts)
        self.alive = Alive(work / "alive.npy", self.rows)
        self.decided: list[Path] = []
        self.notes: list[str] = []  # what a person should know of the comparison as a whole

    def strike(self, decided: Sequence[Path]) -> None:
        """Take out the rows of these decisions, and remember why."""
        self.alive.strike(decided)
        self.decided += decided


def alive_rows(path: Path, part: Part) -> Any:
    """For each row of a part, whether it is left: a boolean array."""
    return np.load(path, mmap_mode="r")[part.start : part.start + part.rows]


def decisions(rows: Any, fate: str, reasons: Sequence[str], details: Sequence[str]) -> Any:
    """Decisions about row numbers, sorted by them."""
    table = pa.table(
        [
            pa.array(rows, pa.int64()),
            pa.array([fate] * len(rows), pa.string()),
            pa.array(reasons, pa.string()),
            pa.array(details, pa.string()),
        ],
        schema=DECISION_SCHEMA,
    )
    return table.sort_by("row")


def decided_for(part: Part, files: Sequence[Path]) -> Any:
    """The decisions about rows of a part, sorted by row."""
    tables = [_between(read_table(path), part.start, part.start + part.rows) for path in files]
    return pa.concat_tables([DECISION_SCHEMA.empty_table(), *tables]).sort_by("row")


def apart(table: Any, part: Part, decided: Any) -> tuple[Any, Any]:
    """A part's rows that stay, and those that go with their reasons."""
    rows = decided.column("row").to_numpy() - part.start
    stays = np.ones(part.rows, dtype=np.bool_)
    stays[rows] = False
    names = ("fate", "reason", "detail")
    gone = with_reasons(table.take(rows), *(decided.column(name).to_pylist() for name in names))
    return table.filter(pa.array(stays)), gone


def _between(table: Any, start: int, end: int) -> Any:
    first, last = np.searchsorted(table.column("row").to_numpy(), [start, end])
    return table.slice(int(first), int(last - first))
