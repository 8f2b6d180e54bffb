"""Rows that a person has sent back in another copy: the copy counts, and the first one goes.

Otherwise the first one would still contradict others, or be the one of two like rows that stays.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.comparison import Comparison, decisions
from sluice.data.grouping import write_table
from sluice.data.parts import Part, part_name, read_part
from sluice.data.quarantine import RELEASED_FROM, RELEASED_ID, SOURCE
from sluice.data.record import tag_values

SUPERSEDED = "released_copy"  # a reason code: another copy of the row was released

First = tuple[str, str]  # place (`source:line`) and id of the row that was sent back
Copies = dict[First, str]  # and the place of the copy that counts

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute


def superseded(comparison: Comparison) -> list[Path]:
    """Decisions about rows of which a released copy came in; a later copy stands for an earlier."""
    copies: Copies = {}
    for found in comparison.engine.map(released_copies, comparison.parts):
        copies.update(found)
    if not copies:
        return []
    folder = comparison.work / "superseded"
    return comparison.engine.map(partial(_decided, folder, copies), comparison.parts)


def released_copies(part: Part) -> Copies:
    """The released rows of a part, by what they are copies of."""
    sources = read_part(part.path, ["source"]).column("source")
    if not pc.any(pc.starts_with(sources, pattern=f"{SOURCE}/")).as_py():
        return {}
    table = read_part(part.path, ["source", "line", "tags"])
    tags = (tag_values(table, name) for name in (RELEASED_FROM, RELEASED_ID))
    rows = zip(*tags, _places(table), strict=True)
    return {(first, id): place for first, id, place in rows if first and id and _is_released(place)}


def _decided(folder: Path, copies: Copies, part: Part) -> Path:
    table = read_part(part.path, ["id", "source", "line"])
    firsts = zip(_places(table), table.column("id").to_pylist(), strict=True)
    gone = {row: copies[first] for row, first in enumerate(firsts) if first in copies}
    rows = [part.start + row for row in gone]
    decided = decisions(rows, "dropped", [SUPERSEDED] * len(rows), list(gone.values()))
    return write_table(folder / part_name(part.number), decided)


def _places(table: Any) -> list[str]:
    columns = (table.column(name).to_pylist() for name in ("source", "line"))
    return [f"{source}:{line}" for source, line in zip(*columns, strict=True)]


def _is_released(place: str) -> bool:
    return place.startswith(f"{SOURCE}/")
