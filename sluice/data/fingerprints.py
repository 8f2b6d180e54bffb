"""The fingerprints of a part's rows: everything that comparisons read, taken in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.comparison import alive_rows, decisions
from sluice.data.contamination import EvaluationIndex, contaminated
from sluice.data.duplicates.bands import bands_of, sides_of
from sluice.data.duplicates.keys import keys_of
from sluice.data.duplicates.rows import fold_rows
from sluice.data.duplicates.store import write_store
from sluice.data.grouping import read_table, write_table
from sluice.data.parts import Part, part_name, read_part
from sluice.data.quarantine import released_from
from sluice.data.record import tag_values
from sluice.recipe import DuplicatesSection

pa: Any = pyarrow  # not typed


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Where they are kept, and what they are taken for."""

    folder: Path
    held_out: EvaluationIndex
    section: DuplicatesSection
    contributor_tag: str | None = None

    def keys(self, number: int) -> Path:
        """One row for each row of the part, with its keys."""
        return self.folder / "keys" / part_name(number)

    def bands(self, number: int) -> Path:
        """Several rows for each row of the part: the bands of its signature."""
        return self.folder / "bands" / part_name(number)

    def store(self, number: int) -> Path:
        """The folded texts, for comparing candidates exactly."""
        return self.folder / "store" / part_name(number)


def fingerprint(prints: Fingerprints, part: Part) -> Path:
    """Take them; returns the decisions about rows that copy a held-out row."""
    table = read_part(part.path)
    rows = fold_rows(table)
    write_table(prints.keys(part.number), _keys(prints, table, keys_of(table, rows, part.start)))
    sides = sides_of(rows) if prints.section.near else None
    if sides is not None:
        bands = bands_of(rows, sides, part.start, prints.section.similarity)
        write_table(prints.bands(part.number), bands)
        write_store(prints.store(part.number), table, sides)
    copies = contaminated(table, prints.held_out, rows, None if sides is None else sides.tokens)
    reasons, details = (copies.column(name).to_pylist() for name in ("reason", "detail"))
    numbers = copies.column("row").to_numpy() + part.start
    decided = prints.folder / "held_out" / part_name(part.number)
    return write_table(decided, decisions(numbers, "dropped", reasons, details))


def keys_left(prints: Fingerprints, alive: Path, parts: Sequence[Part], number: int) -> Any:
    """The keys of those rows of a part that are left."""
    table = read_table(prints.keys(number))
    return table.filter(pa.array(alive_rows(alive, parts[number])))


def _keys(prints: Fingerprints, table: Any, keys: Any) -> Any:
    """The keys of rows, and what else is compared: id, contributor, and what a person released."""
    tag = prints.contributor_tag
    contributors = [None] * table.num_rows if tag is None else tag_values(table, tag)
    columns = (("released", released_from(table)), ("contributor", contributors))
    for name, values in columns:
        keys = keys.append_column(name, pa.array(values, pa.string()))
    return keys.append_column("id", table.column("id"))
