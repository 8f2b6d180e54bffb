"""A set of rows on disk: a folder of numbered Parquet files, each small enough for one process.

The order of the rows is that of the files, then that within a file. Nothing depends on how many
processes wrote them, so the same rows give the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.record import SCHEMA, Record, records_of, table_of

PART_ROWS = 20_000  # about 20 MB of text: a step holds a few such parts in memory, never all rows

pa: Any = pyarrow  # not typed
pq: Any = pyarrow.parquet


@dataclass(frozen=True, slots=True)
class Part:
    """One file of rows: `start` is the number of its first row among those of all parts."""

    number: int
    path: Path
    start: int
    rows: int

    @property
    def side(self) -> str:
        """The name of its folder: `train`, `evaluation`, `records`."""
        return self.path.parent.name


def parts_of(folders: Iterable[Path]) -> list[Part]:
    """The parts of several folders, one folder after the other, numbered through."""
    parts: list[Part] = []
    start = 0
    for path in (path for folder in folders for path in part_files(folder)):
        rows = int(pq.read_metadata(path).num_rows)
        parts.append(Part(len(parts), path, start, rows))
        start += rows
    return parts


def part_name(number: int) -> str:
    """The file name of a part; names sort like their numbers up to a million parts."""
    return f"{number:06d}.parquet"


def part_files(folder: Path) -> list[Path]:
    """The parts of a folder, in order."""
    return sorted(folder.glob("*.parquet"))


def write_part(path: Path, table: Any) -> None:
    """Write one part. The same table gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="lz4")


def copy_part(path: Path, target: Path) -> None:
    """Put a finished part in a second place too. A copy: damage to one does not reach the other."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)


def read_part(path: Path, columns: Sequence[str] | None = None) -> Any:
    """One part as an Arrow table, or some of its columns."""
    return pq.read_table(path, columns=None if columns is None else list(columns))


def count_rows(folder: Path) -> int:
    """How many rows the parts of a folder have, told by their footers alone."""
    return sum(pq.read_metadata(path).num_rows for path in part_files(folder))


def write_records(folder: Path, records: Iterable[Record]) -> int:
    """Write rows as parts; returns how many. No rows leave one empty part."""
    rows = list(records)
    for number, start in enumerate(range(0, max(1, len(rows)), PART_ROWS)):
        write_part(folder / part_name(number), table_of(rows[start : start + PART_ROWS]))
    return len(rows)


def read_records(folder: Path) -> list[Record]:
    """All rows of a folder of parts; for sets that fit in memory."""
    return [record for path in part_files(folder) for record in records_of(read_part(path))]


def iterate(folder: Path, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """The parts of a folder as tables, one at a time."""
    for path in part_files(folder):
        yield read_part(path, columns)


def empty_table() -> Any:
    """No rows, with the columns of a row."""
    return SCHEMA.empty_table()
