"""The account of a preparation: four Parquet files in which each row that came in is once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.augmentation import METHOD_TAG
from sluice.data.counts import rows_by_reason
from sluice.data.funnel import Trail
from sluice.data.outcomes import GONE_SCHEMA, HELD_OUT, REJECT_SCHEMA
from sluice.data.parts import iterate, read_part
from sluice.data.record import SCHEMA, tag_values
from sluice.lake import Lake

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute
pq: Any = pyarrow.parquet
CURATED_SCHEMA: Any = SCHEMA.append(pa.field("reason", pa.string()))
OUTCOMES = ("curated", "dropped", "quarantined", "rejected")

Account = dict[str, dict[str, int]]


def write_account(trail: Trail, lake: Lake, folder: Path) -> Account:
    """Write `curated`, `dropped`, `quarantined` and `rejected.parquet`; returns rows by reason.

    Each has `id`, `source`, `line` and `reason`; that of a curated row is the side it is on:
    `train`, `validation` or `evaluation`. Rows of held-out files did not come in, so they are in
    none of them; nor did augmented rows, which are in `augmented.parquet` if there are any.
    """
    folder.mkdir(parents=True, exist_ok=True)
    gone = list(_gone_folders(trail, lake))
    streams = {
        "curated": (CURATED_SCHEMA, _curated(lake.path(trail.contracted))),
        "dropped": (GONE_SCHEMA, _gone(gone, "dropped")),
        "quarantined": (GONE_SCHEMA, _gone(gone, "quarantined")),
        "rejected": (REJECT_SCHEMA, _rejected(trail, lake)),
    }
    if lake.manifest(trail.curated).get("variants"):
        streams["augmented"] = (CURATED_SCHEMA, _made_up(lake.path(trail.contracted)))
    return {
        name: _write(folder / f"{name}.parquet", schema, tables)
        for name, (schema, tables) in streams.items()
    }


def _write(path: Path, schema: Any, tables: Iterable[Any]) -> dict[str, int]:
    counts = Counter[str]()
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
        for table in tables:
            writer.write_table(table.select(schema.names))
            counts.update(rows_by_reason(table))
    return dict(sorted(counts.items()))


def _curated(contracted: Path) -> Iterator[Any]:
    for side in ("train", "validation", "evaluation"):
        for table in map(_real, map(_came_in, iterate(contracted / side))):
            reasons = pa.array([side] * table.num_rows, pa.string())
            yield table.append_column(pa.field("reason", pa.string()), reasons)


def _gone_folders(trail: Trail, lake: Lake) -> Iterator[Path]:
    for ref in trail.refs:
        yield lake.path(ref) / "gone"


def _gone(folders: Iterable[Path], fate: str) -> Iterator[Any]:
    for folder in folders:
        for table in map(_real, map(_came_in, iterate(folder))):
            yield table.filter(pc.equal(table.column("fate"), fate))


def _rejected(trail: Trail, lake: Lake) -> Iterator[Any]:
    for ref in trail.snapshots:
        yield read_part(lake.path(ref) / "rejects.parquet")


def _real(table: Any) -> Any:
    return table.filter(
        pa.array([value is None for value in tag_values(table, METHOD_TAG)], pa.bool_())
    )


def _made_up(contracted: Path) -> Iterator[Any]:
    for table in iterate(contracted / "train"):
        methods = tag_values(table, METHOD_TAG)
        made = table.filter(pa.array([method is not None for method in methods], pa.bool_()))
        reasons = pa.array([method for method in methods if method is not None], pa.string())
        yield made.append_column(pa.field("reason", pa.string()), reasons)


def _came_in(table: Any) -> Any:
    held_out = pc.starts_with(table.column("source"), pattern=HELD_OUT)
    return table.filter(pc.invert(held_out))
