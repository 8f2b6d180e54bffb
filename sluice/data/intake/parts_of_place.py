"""Read one place into the parts of a batch: shard by shard, on as many processes as there are."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.compute import Done, Engine, untold
from sluice.data.forms import converter
from sluice.data.intake.manner import Manner
from sluice.data.outcomes import REJECT_SCHEMA, Reject, reject_table
from sluice.data.parts import PART_ROWS, part_files, part_name, write_part
from sluice.data.reading import Place, RawRow, Shard, read_shard, shards
from sluice.data.record import Record, table_of
from sluice.recipe.data import Form

pq: Any = pyarrow.parquet  # not typed
EXAMPLES = 3  # rejects that an error message quotes the places of


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read: a place, without the lines before `after`; `shift` is added to line numbers.

    `after` is 0, or the last line that was read before the place grew, `after_bytes` its size
    then. `shift` is for a place that
    holds only what is new, so that its line numbers go on where the last ones ended. `rejects`
    are rows that were lost before the place was written.
    """

    place: Place
    form: Form
    manner: Manner
    after: int = 0
    after_bytes: int = 0
    shift: int = 0
    rejects: tuple[Reject, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """What was read. `lines` are rows and rejects; `first` and `last` are line numbers, or 0."""

    rows: int = 0
    rejects: dict[str, int] = field(default_factory=dict[str, int])
    first: int = 0
    last: int = 0
    examples: tuple[Reject, ...] = ()

    @property
    def rejected(self) -> int:
        """How many rejects there are."""
        return sum(self.rejects.values())

    @property
    def lines(self) -> int:
        """Rows and rejects."""
        return self.rows + self.rejected

    def __add__(self, other: Tally) -> Tally:
        """Of what was read here, then there."""
        return Tally(
            self.rows + other.rows,
            dict(sorted((Counter(self.rejects) + Counter(other.rejects)).items())),
            self.first or other.first,
            max(self.last, other.last),
            (self.examples + other.examples)[:EXAMPLES],
        )


def read_parts(reading: Reading, folder: Path, engine: Engine, done: Done = untold) -> Tally:
    """Write `records/NNNNNN.parquet` and `rejects.parquet` of a place into a folder.

    The same bytes of the place give the same files, on any number of processes.

    Raises:
        BatchError: the place cannot be opened, or is refused as a whole.
    """
    found = [s for s in shards(reading.place, reading.manner.limits) if not _is_old(s, reading)]
    pieces = folder / "pieces"
    job = partial(_read_piece, replace(reading, rejects=()), pieces)
    tallies = engine.map(job, list(enumerate(found)), done)
    tallies.append(_keep_rejects(reading, pieces, len(found)))
    _join_records(pieces, len(tallies), folder / "records")
    _join_rejects(pieces, len(tallies), folder / "rejects.parquet")
    shutil.rmtree(pieces, ignore_errors=True)
    return sum(tallies, Tally())


def _is_old(shard: Shard, reading: Reading) -> bool:
    return shard.end is not None and shard.end <= reading.after_bytes


def _read_piece(reading: Reading, pieces: Path, item: tuple[int, Shard]) -> Tally:
    number, shard = item
    piece = _piece(pieces, number)
    for found in _new_rows(reading, shard):
        piece.add(found)
    return piece.finished()


def _keep_rejects(reading: Reading, pieces: Path, number: int) -> Tally:
    piece = _piece(pieces, number)
    for reject in reading.rejects:
        if reject.line > reading.after:
            piece.add(replace(reject, line=reject.line + reading.shift))
    return piece.finished()


def _new_rows(reading: Reading, shard: Shard) -> Iterator[Record | Reject]:
    manner = reading.manner
    convert = converter(reading.form, manner.mapping, manner.tags)
    for row in read_shard(shard, manner.limits):
        if row.line > reading.after:
            found = convert(row, reading.place.name) if isinstance(row, RawRow) else row
            yield replace(found, line=found.line + reading.shift) if reading.shift else found


class _Piece:
    """The parts of one shard, written as they fill up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records: list[Record] = []
        self._rejects: list[Reject] = []
        self._tally = Tally()

    def add(self, found: Record | Reject) -> None:
        """Take one row, or the reason why it is none."""
        if isinstance(found, Record):
            self._records.append(found)
        else:
            self._rejects.append(found)
        if len(self._records) >= PART_ROWS or len(self._rejects) >= PART_ROWS:
            self._write()

    def finished(self) -> Tally:
        """Write what is left; returns the count of all."""
        self._write()
        return self._tally

    def _write(self) -> None:
        if self._records:
            write_part(_next_part(self._folder / "records"), table_of(self._records))
        if self._rejects:
            write_part(_next_part(self._folder / "rejects"), reject_table(self._rejects))
        self._tally += _tally(self._records, self._rejects)
        self._records, self._rejects = [], []


def _next_part(folder: Path) -> Path:
    return folder / part_name(len(part_files(folder)))


def _piece(pieces: Path, number: int) -> _Piece:
    return _Piece(pieces / f"{number:06d}")


def _tally(records: Sequence[Record], rejects: Sequence[Reject]) -> Tally:
    lines = [row.line for row in (*records, *rejects)]
    return Tally(
        rows=len(records),
        rejects=dict(Counter(reject.reason for reject in rejects)),
        first=min(lines, default=0),
        last=max(lines, default=0),
        examples=tuple(rejects[:EXAMPLES]),
    )


def _pieces(pieces: Path, count: int, name: str) -> Iterator[Path]:
    for number in range(count):
        yield from part_files(pieces / f"{number:06d}" / name)


def _join_records(pieces: Path, count: int, folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, part in enumerate(_pieces(pieces, count, "records")):
        part.rename(folder / part_name(number))


def _join_rejects(pieces: Path, count: int, path: Path) -> None:
    with pq.ParquetWriter(path, REJECT_SCHEMA, compression="zstd", compression_level=1) as writer:
        for table in _tables(_pieces(pieces, count, "rejects")):
            writer.write_table(table)


def _tables(parts: Iterable[Path]) -> Iterator[Any]:
    return (pq.read_table(part) for part in parts)
