"""The steps that compare rows, run over small tables in one process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow

from sluice.data.duplicates.bands import bands_of, sides_of
from sluice.data.duplicates.conflicts import Conflicts, decide_conflicts
from sluice.data.duplicates.exact import decide_exact
from sluice.data.duplicates.keys import keys_of
from sluice.data.duplicates.near import near_copies
from sluice.data.duplicates.pairs import Keep, pairs_in
from sluice.data.duplicates.rows import fold_rows
from sluice.data.duplicates.store import write_store
from sluice.data.record import Message, Record, content_id, table_of

pa: Any = pyarrow

Decided = dict[int, tuple[str, str]]


def conversation(*turns: tuple[str, str], line: int = 1, source: str = "jan.jsonl") -> Record:
    """A row of (role, text) pairs."""
    messages = tuple(Message(role, text) for role, text in turns)  # type: ignore[arg-type]
    return Record(content_id(messages), messages, source, line)


def asked(*pairs: tuple[str, str]) -> list[Record]:
    """Rows of a question and an answer each, on lines from 1."""
    return [
        conversation(("user", question), ("assistant", answer), line=line)
        for line, (question, answer) in enumerate(pairs, 1)
    ]


def keyed(records: Sequence[Record], key: str, parts: int = 2) -> Any:
    """The keys of rows that lie in several parts."""
    tables = []
    for start, rows in cut(records, parts):
        table = table_of(rows)
        tables.append(keys_of(table, fold_rows(table), start))
    table = pa.concat_tables(tables)
    return table.append_column("key", table.column(key))


def exact(records: Sequence[Record], keep: Keep = "first", parts: int = 2) -> Decided:
    """Row number -> reason and detail of exact duplicates."""
    return decided(decide_exact(keyed(records, "text_key", parts), keep))


def conflicting(records: Sequence[Record], conflicts: Conflicts = "quarantine") -> Decided:
    """Row number -> reason and detail of conflicts."""
    return decided(decide_conflicts(keyed(records, "question_key"), conflicts))


def near(
    records: Sequence[Record],
    folder: Path,
    similarity: float = 0.8,
    keep: Keep = "first",
    parts: int = 2,
) -> Decided:
    """Row number -> reason and detail of near copies."""
    starts, stores, bands = [], [], []
    for start, rows in cut(records, parts):
        table = table_of(rows)
        folded = fold_rows(table)
        sides = sides_of(folded)
        starts.append(start)
        stores.append(write_store(folder / f"{start}.arrow", table, sides))
        bands.append(bands_of(folded, sides, start, similarity))
    pairs = pairs_in(pa.concat_tables(bands), keep, starts)
    return decided(near_copies(pairs, stores, starts, similarity))


def cut(records: Sequence[Record], parts: int) -> list[tuple[int, Sequence[Record]]]:
    """Rows in parts of equal size, with the number of each part's first row."""
    size = max(1, -(-len(records) // parts))
    return [
        (start, records[start : start + size]) for start in range(0, max(1, len(records)), size)
    ]


def decided(table: Any) -> Decided:
    """Decisions by row."""
    assert table.column("row").to_pylist() == sorted(set(table.column("row").to_pylist()))
    return {d["row"]: (d["reason"], d["detail"]) for d in table.to_pylist()}
