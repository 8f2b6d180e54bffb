"""Which reader a file has, and how a large one is divided among processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sluice.data.outcomes import Reject
from sluice.data.reading.bytes_of import chunks, size_of
from sluice.data.reading.columnar import read_arrow, read_parquet
from sluice.data.reading.delimited import read_delimited
from sluice.data.reading.document import read_document
from sluice.data.reading.lines import read_lines
from sluice.data.reading.places import Place
from sluice.data.reading.rows import Limits, RawRow

SHARD_BYTES = 16 * 1024 * 1024  # about one part of rows; read in a tenth of a second


@dataclass(frozen=True, slots=True)
class Shard:
    """Part of a place: its bytes from `start` up to `end` (None: to its end), whole lines.

    `line` is the number of the first of them.
    """

    place: Place
    start: int = 0
    end: int | None = None
    line: int = 1


def shards(place: Place, limits: Limits) -> list[Shard]:
    """The parts in which a place is read; together they give what one reading of it gives.

    JSON Lines that are not compressed are cut about every `SHARD_BYTES`, at line ends: the file is
    passed once to count its lines. All others are one part.

    Raises:
        BatchError: the place cannot be opened.
    """
    size = size_of(place)
    divisible = place.kind == "jsonl" and not place.compression and not place.is_stream
    if not divisible or size is None or size <= SHARD_BYTES:
        return [Shard(place)]
    return _cut(place, limits)


def read_shard(shard: Shard, limits: Limits) -> Iterator[RawRow | Reject]:
    """The rows of a part, and the rejects, in their order. Content never raises.

    Raises:
        BatchError: the place cannot be opened or is refused as a whole; also after some rows,
            which then may not be kept.
    """
    place = shard.place
    if place.kind == "parquet":
        return read_parquet(place, limits)
    if place.kind == "arrow":
        return read_arrow(place, limits)
    content = chunks(place, limits, shard.start, shard.end)
    if place.kind == "json":
        return read_document(content, place, limits)
    if place.kind in ("csv", "tsv"):
        return read_delimited(content, place, limits)
    return read_lines(content, place.name, limits, shard.line, shard.start)


def _cut(place: Place, limits: Limits) -> list[Shard]:
    found: list[Shard] = []
    start, line, lines, passed = 0, 1, 0, 0
    for chunk in chunks(place, limits):
        counted = 0
        while (end := chunk.find(b"\n", max(counted, start + SHARD_BYTES - 1 - passed))) >= 0:
            lines += chunk.count(b"\n", counted, end + 1)
            counted = end + 1
            found.append(Shard(place, start, passed + counted, line))
            start, line = passed + counted, lines + 1
        lines += chunk.count(b"\n", counted)
        passed += len(chunk)
    return [*found, Shard(place, start, passed, line)] if passed > start else found
