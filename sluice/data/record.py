"""The canonical row: one conversation, whose last message is the answer to be learned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]

from sluice.lake import digest_of

Role = Literal["system", "user", "assistant"]
ID_CHARS = 16

# pyarrow is not typed.
pa: Any = pyarrow
pq: Any = pyarrow.parquet
MESSAGE: Any = pa.struct([("role", pa.string()), ("content", pa.string())])
SCHEMA: Any = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(MESSAGE)),
        ("source", pa.string()),
        ("line", pa.int64()),
        ("intent", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Record:
    """One row.

    `source` and `line` (from 1) say where it came from; `intent` is the source's own label.
    """

    id: str
    messages: tuple[Message, ...]
    source: str
    line: int
    intent: str | None = None

    @property
    def question(self) -> str:
        """The last thing the user said."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def answer(self) -> str:
        """The reply to be learned: the last message, if the assistant wrote it."""
        return self.messages[-1].content if self.messages[-1].role == "assistant" else ""

    @property
    def prompt(self) -> tuple[Message, ...]:
        """All messages before the answer."""
        return self.messages[:-1]


def content_id(messages: Iterable[Message]) -> str:
    """The id of a conversation: a digest of its roles and texts, so equal content has one id."""
    return digest_of([[m.role, m.content] for m in messages])[:ID_CHARS]


def write_records(path: Path, records: Iterable[Record]) -> int:
    """Write rows as canonical Parquet; returns how many."""
    rows = [
        {
            "id": r.id,
            "messages": [{"role": m.role, "content": m.content} for m in r.messages],
            "source": r.source,
            "line": r.line,
            "intent": r.intent,
        }
        for r in records
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    return len(rows)


def read_records(path: Path) -> list[Record]:
    """Read rows from canonical Parquet."""
    rows: list[dict[str, Any]] = pq.read_table(path, schema=SCHEMA).to_pylist()
    return [
        Record(
            id=row["id"],
            messages=tuple(Message(m["role"], m["content"]) for m in row["messages"]),
            source=row["source"],
            line=row["line"],
            intent=row["intent"],
        )
        for row in rows
    ]
