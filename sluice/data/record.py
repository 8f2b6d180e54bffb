"""The canonical row: one conversation, whose last message is the answer to be learned.

Steps pass rows as Arrow tables of `SCHEMA`; `Record` is the same row for code that looks at one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

Role = Literal["system", "user", "assistant", "tool"]
Tags = tuple[tuple[str, str], ...]
ID_CHARS = 16

pa: Any = pyarrow  # not typed
MESSAGE: Any = pa.struct([("role", pa.string()), ("content", pa.string()), ("more", pa.string())])
TAGS: Any = pa.map_(pa.string(), pa.string())
SCHEMA: Any = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(MESSAGE)),
        ("source", pa.string()),
        ("line", pa.int64()),
        ("tags", TAGS),
        ("language", pa.string()),
        ("received_at", pa.string()),
        ("tools", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    `more` holds, as canonical JSON, the other fields that a chat template reads: `tool_calls`,
    `tool_call_id`, `name`. None where there are none.
    """

    role: Role
    content: str
    more: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One row.

    `source` and `line` (from 1) say where it came from: a file's name and its line, or its row
    where it has no lines. `tags` are sorted pairs of a name and a value (`intent`, `contributor`).
    `language` is an ISO 639-1 code; `received_at` is UTC in ISO 8601, if the row itself says so;
    `tools` are the tool definitions given to the model, as canonical JSON.
    """

    id: str
    messages: tuple[Message, ...]
    source: str
    line: int
    tags: Tags = ()
    language: str | None = None
    received_at: str | None = None
    tools: str | None = None

    def tag(self, name: str) -> str | None:
        """The value of a tag, if the row has it."""
        return next((value for key, value in self.tags if key == name), None)

    @property
    def question(self) -> str:
        """The last thing the user said."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def answer(self) -> str:
        """The reply to be learned: the last message, if the assistant wrote it."""
        if not self.messages or self.messages[-1].role != "assistant":
            return ""
        return self.messages[-1].content

    @property
    def prompt(self) -> tuple[Message, ...]:
        """All messages before the answer."""
        return self.messages[:-1]


def content_id(messages: Iterable[Message], tools: str | None = None) -> str:
    """The id of a conversation: a digest of roles, texts and tools, so equal content has one id."""
    # Lengths stand before the texts, so that no two conversations are spelled the same way.
    turns = [f"{m.role}{len(m.content)}:{m.content}{m.more or ''}" for m in messages]
    parts = [f"{len(tools)}:{tools}" if tools else "", *turns]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:ID_CHARS]


def table_of(records: Sequence[Record]) -> Any:
    """Rows as an Arrow table of `SCHEMA`."""
    messages = [m for r in records for m in r.messages]
    return table_of_columns(
        ids=[r.id for r in records],
        turns=[len(r.messages) for r in records],
        roles=[m.role for m in messages],
        contents=[m.content for m in messages],
        more=[m.more for m in messages],
        sources=[r.source for r in records],
        lines=[r.line for r in records],
        tags=[r.tags for r in records],
        languages=[r.language for r in records],
        received_at=[r.received_at for r in records],
        tools=[r.tools for r in records],
    )


def table_of_columns(
    *,
    ids: Sequence[str],
    turns: Sequence[int],
    roles: Sequence[str],
    contents: Sequence[str],
    more: Sequence[str | None],
    sources: Sequence[str],
    lines: Sequence[int],
    tags: Sequence[Tags],
    languages: Sequence[str | None],
    received_at: Sequence[str | None],
    tools: Sequence[str | None],
) -> Any:
    """A table of `SCHEMA` from flat columns; `turns` counts the messages of each row."""
    flat = pa.StructArray.from_arrays(
        [
            pa.array(roles, pa.string()),
            pa.array(contents, pa.string()),
            pa.array(more, pa.string()),
        ],
        fields=list(MESSAGE),
    )
    offsets = pa.array(np.concatenate([[0], np.cumsum(turns, dtype=np.int64)]), pa.int32())
    columns = [
        pa.array(ids, pa.string()),
        pa.ListArray.from_arrays(offsets, flat, type=pa.list_(MESSAGE)),
        pa.array(sources, pa.string()),
        pa.array(lines, pa.int64()),
        pa.array(tags, TAGS),
        pa.array(languages, pa.string()),
        pa.array(received_at, pa.string()),
        pa.array(tools, pa.string()),
    ]
    return pa.table(columns, schema=SCHEMA)


def records_of(table: Any) -> list[Record]:
    """The rows of a table that has the columns of `SCHEMA`; others are left aside."""
    table = table.select(SCHEMA.names).combine_chunks()
    if table.num_rows == 0:
        return []
    conversations = _conversations(table.column("messages").chunk(0))
    columns = (table.column(name).to_pylist() for name in SCHEMA.names if name != "messages")
    return [
        Record(id, messages, source, line, tuple(tags or ()), language, received_at, tools)
        for messages, id, source, line, tags, language, received_at, tools in zip(
            conversations, *columns, strict=True
        )
    ]


def tag_values(table: Any, name: str) -> list[str | None]:
    """For each row of a table the value of a tag, if it has it."""
    tags: list[list[tuple[str, str]] | None] = table.column("tags").to_pylist()
    return [dict(own).get(name) if own else None for own in tags]


def _conversations(lists: Any) -> list[tuple[Message, ...]]:
    flat = lists.flatten()
    fields = (flat.field(name).to_pylist() for name in ("role", "content", "more"))
    messages = [Message(*values) for values in zip(*fields, strict=True)]
    ends = np.cumsum(lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)).tolist()
    return [tuple(messages[i:j]) for i, j in zip([0, *ends[:-1]], ends, strict=True)]
