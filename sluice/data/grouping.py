"""Bring rows of equal keys together, however many there are: scatter into buckets, then decide.

Map and reduce with files in between: each part writes its rows into one file per bucket, and each
bucket is then read and decided as a whole. A bucket holds about `BUCKET_ROWS` rows at any size of
the data, so memory does not grow with it, and which process or machine did what cannot be seen in
the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.feather  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.compute import Engine

BUCKET_ROWS = 150_000  # some 200 bytes each, and sorting needs them twice

pa: Any = pyarrow  # not typed
feather: Any = pyarrow.feather

ReadPart = Callable[[int], Any]  # number of a part -> table with a column `key` (uint64)
DecideBucket = Callable[[Any], Any]  # rows whose keys share a bucket -> what became of them


@dataclass(frozen=True, slots=True)
class Grouping:
    """Where a grouping keeps its files, and into how many buckets it cuts the rows."""

    folder: Path
    buckets: int


def buckets_for(rows: int, bucket_rows: int = BUCKET_ROWS) -> int:
    """How many buckets that many rows need; it depends on nothing else, so results repeat."""
    return max(1, -(-rows // bucket_rows))


def group_by_key(
    engine: Engine,
    grouping: Grouping,
    parts: Sequence[int],
    read: ReadPart,
    decide: DecideBucket,
) -> list[Path]:
    """What `decide` says of the rows of each bucket: one file for each bucket, in their order.

    `decide` sees all rows whose keys are equal, in the order of parts and rows.
    """
    engine.map(partial(_scatter, grouping, read), parts)
    return engine.map(partial(_gather, grouping, list(parts), decide), range(grouping.buckets))


def write_table(path: Path, table: Any) -> Path:
    """Write a table that is read again soon: uncompressed, so that it can be mapped."""
    path.parent.mkdir(parents=True, exist_ok=True)
    feather.write_feather(table, path, compression="uncompressed")
    return path


def read_table(path: Path) -> Any:
    """Map a table that `write_table` wrote."""
    return feather.read_table(path, memory_map=True)


def _scatter(grouping: Grouping, read: ReadPart, part: int) -> None:
    table = read(part)
    bucket = table.column("key").to_numpy() % np.uint64(grouping.buckets)
    order = np.argsort(bucket, kind="stable")
    ends = np.searchsorted(bucket[order], np.arange(1, grouping.buckets + 1, dtype=np.uint64))
    ordered, start = table.take(order), 0
    for number, end in enumerate(ends.tolist()):
        write_table(_piece(grouping, number, part), ordered.slice(start, end - start))
        start = end


def _gather(grouping: Grouping, parts: list[int], decide: DecideBucket, bucket: int) -> Path:
    pieces = [_piece(grouping, bucket, part) for part in parts]
    table = pa.concat_tables([read_table(piece) for piece in pieces]).combine_chunks()
    decided = write_table(grouping.folder / "decided" / f"{bucket:06d}.arrow", decide(table))
    for piece in pieces:
        piece.unlink()
    return decided


def _piece(grouping: Grouping, bucket: int, part: int) -> Path:
    return grouping.folder / "pieces" / f"{bucket:06d}" / f"{part:06d}.arrow"
