"""Quarantine: rows that wait for a person, and how they come back.

A released row comes in again as a row of its own, from a file below `released/`, which says who
sent it back, why, and from what. It is not quarantined again for that reason; everything else is
asked of it as of any row. The first copy stays in its batch, so every batch still adds up; where
rows are compared, it makes room for the released one (`sluice.data.superseded`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.outcomes import HELD_OUT, Gone, gone_of
from sluice.data.parts import iterate
from sluice.data.record import Message, Record, tag_values
from sluice.errors import BatchError
from sluice.lake import Lake
from sluice.refs import DatasetRef

pc: Any = pyarrow.compute  # not typed

SOURCE = "released"
TAG = "released"  # the reason from which a row is exempt; only rows of SOURCE may carry it
RELEASED_FROM, RELEASED_ID = "released_from", "released_id"  # place and id of the first copy
RELEASE_TAGS = (TAG, "released_by", "released_because", RELEASED_FROM, RELEASED_ID)


@dataclass(frozen=True, slots=True)
class Release:
    """Who sends rows back, and why."""

    approver: str
    why: str


def quarantined(refs: Iterable[DatasetRef], lake: Lake) -> Iterator[Gone]:
    """The rows that wait for a person, in these data sets; no held-out ones, which never train."""
    for ref in refs:
        for table in iterate(lake.path(ref) / "gone"):
            yield from gone_of(table.filter(_waiting(table)))


def count_quarantined(refs: Iterable[DatasetRef], lake: Lake) -> int:
    """How many rows wait for a person; their texts are not read."""
    tables = (t for ref in refs for t in iterate(lake.path(ref) / "gone", ["fate", "source"]))
    return sum(pc.sum(_waiting(table)).as_py() or 0 for table in tables)


def find(rows: Iterable[Gone], ids: Sequence[str]) -> list[Gone]:
    """The rows with these ids, or unambiguous beginnings of them, in that order.

    Raises:
        BatchError: an id is not there, or the beginning of several.
    """
    waiting = {row.record.id: row for row in rows}
    return [_one(waiting, wanted) for wanted in ids]


def released_from(table: Any) -> list[str | None]:
    """For each row of a table the reason from which a person has released it, if one has."""
    sources: list[str] = table.column("source").to_pylist()
    reasons = tag_values(table, TAG)
    return [
        reason if reason and source.startswith(f"{SOURCE}/") else None
        for source, reason in zip(sources, reasons, strict=True)
    ]


def release(rows: Sequence[Gone], who: Release, folder: Path) -> Path:
    """Write rows to a new file of `folder`, to be read as a source; returns the file."""
    now = datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{now:%Y%m%dT%H%M%S-%f}.jsonl"
    aside = path.with_suffix(".part")
    lines = [json.dumps(_line(row, who, now), ensure_ascii=False) for row in rows]
    aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    aside.rename(path)
    return path


def shown(row: Gone) -> dict[str, Any]:
    """A row as a person reads and mends it; `mended` takes it back."""
    return {
        "id": row.record.id,
        "source": row.record.source,
        "line": row.record.line,
        "reason": row.reason,
        "detail": row.detail,
        "messages": [_message(message) for message in row.record.messages],
    }


def mended(row: Gone, fields: Mapping[str, Any]) -> Gone:
    """The row with the messages that a person wrote in its place.

    Raises:
        BatchError: they are not messages with text, or do not end with the assistant's.
    """
    try:
        messages = tuple(Message(turn["role"], str(turn["content"])) for turn in fields["messages"])
    except (KeyError, TypeError) as error:
        raise BatchError(
            f"Row {row.record.id}: `messages` must be a list of objects with `role` and `content`."
        ) from error
    if not messages or messages[-1].role != "assistant":
        raise BatchError(f"Row {row.record.id}: the last message must be the assistant's.")
    old = row.record
    record = Record(
        old.id, messages, old.source, old.line, old.tags, old.language, old.received_at, old.tools
    )
    return Gone(record, row.fate, row.reason, row.detail)


def _waiting(table: Any) -> Any:
    held_out = pc.starts_with(table.column("source"), pattern=HELD_OUT)
    return pc.and_not(pc.equal(table.column("fate"), "quarantined"), held_out)


def _one(waiting: Mapping[str, Gone], wanted: str) -> Gone:
    found = [row for name, row in waiting.items() if name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    raise BatchError(
        f"{len(found)} quarantined rows have an id that begins with {wanted!r}. "
        "`sluice quarantine list` shows them all."
    )


def _line(row: Gone, who: Release, now: datetime) -> dict[str, Any]:
    record = row.record
    tags = {name: value for name, value in record.tags if name not in RELEASE_TAGS}
    return {
        "messages": [_message(message) for message in record.messages],
        **({"tools": json.loads(record.tools)} if record.tools else {}),
        **tags,
        TAG: row.reason,
        "released_by": who.approver,
        "released_because": who.why,
        RELEASED_FROM: f"{record.source}:{record.line}",
        RELEASED_ID: record.id,
        "received_at": record.received_at or now.isoformat(timespec="seconds"),
    }


def _message(message: Message) -> dict[str, Any]:
    more: dict[str, Any] = json.loads(message.more) if message.more else {}
    return {"role": message.role, "content": message.content, **more}
