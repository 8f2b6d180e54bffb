"""The fingerprints of a part's rows: everything that comparisons read, taken in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.comparison import Part, decisions
from sluice.data.contamination import EvaluationIndex, contaminated
from sluice.data.duplicates.bands import bands_of, sides_of
from sluice.data.duplicates.keys import keys_of
from sluice.data.duplicates.rows import fold_rows
from sluice.data.duplicates.store import write_store
from sluice.data.grouping import write_table
from sluice.data.parts import part_name, read_part
from sluice.data.quarantine import released_from
from sluice.recipe import DuplicatesSection

pa: Any = pyarrow  # not typed


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Where they are kept, and what they are taken for."""

    folder: Path
    held_out: EvaluationIndex
    section: DuplicatesSection

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
    released = pa.array(released_from(table), pa.string())
    keys = keys_of(table, rows, part.start).append_column("released", released)
    write_table(prints.keys(part.number), keys)
    if prints.section.near:
        sides = sides_of(rows)
        bands = bands_of(rows, sides, part.start, prints.section.similarity)
        write_table(prints.bands(part.number), bands)
        write_store(prints.store(part.number), table, sides)
    copies = contaminated(table, prints.held_out)
    reasons, details = (copies.column(name).to_pylist() for name in ("reason", "detail"))
    numbers = copies.column("row").to_numpy() + part.start
    decided = prints.folder / "held_out" / part_name(part.number)
    return write_table(decided, decisions(numbers, "dropped", reasons, details))
