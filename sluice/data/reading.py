"""Read a landing file: every line that is not blank becomes a record or a reject with a reason."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sluice.data.record import Message, Record, content_id
from sluice.data.strict_json import Fault, kind_of, parse_object
from sluice.errors import BatchError

MAX_LINE_BYTES = 1024 * 1024  # a row of 4000 characters takes 16 kB at most; this bounds memory


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that could not become a record. `line` counts from 1, `byte_offset` from 0.

    `reason` is a stable code; `detail` is short and never quotes the row.
    """

    source: str
    line: int
    byte_offset: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What a file held. `lines` counts the lines that are not blank: records plus rejects."""

    records: tuple[Record, ...]
    rejects: tuple[Reject, ...]
    lines: int

    @property
    def rejects_by_reason(self) -> dict[str, int]:
        """How many rejects each reason has."""
        return dict(sorted(Counter(reject.reason for reject in self.rejects).items()))


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    offset: int
    content: bytes
    too_long: bool


def read_alpaca(path: Path) -> Batch:
    """Read JSONL in Alpaca form: `instruction`, optional `input`, `output`, optional `intent`.

    Other keys are ignored, blank lines are skipped. An empty output is a record: dropping it is
    a decision of cleaning, not of reading.

    Raises:
        BatchError: the file is missing, unreadable, or holds no rows at all.
    """
    records: list[Record] = []
    rejects: list[Reject] = []
    for line in _rows_of(path):
        result = _read_row(line, path.name)
        if isinstance(result, Record):
            records.append(result)
        else:
            rejects.append(
                Reject(path.name, line.number, line.offset, result.reason, result.detail)
            )
    if not records and not rejects:
        raise BatchError(
            f"{path} holds no rows: it is empty or has only blank lines. "
            "Check the export that wrote it, or remove the file."
        )
    return Batch(tuple(records), tuple(rejects), len(records) + len(rejects))


def describe_rejects(rejects: Iterable[Reject], limit: int = 3) -> str:
    """The first rejects as `file:line reason (detail)`, for an error message."""
    shown = [f"{r.source}:{r.line} {r.reason} ({r.detail})" for r in list(rejects)[:limit]]
    return "; ".join(shown)


def _rows_of(path: Path) -> Iterator[_Line]:
    try:
        with path.open("rb") as file:
            yield from (line for line in _lines(file) if line.too_long or line.content.strip())
    except OSError as error:
        raise BatchError(
            f"{path} cannot be read: {error.strerror or error}. "
            "Check the path and its permissions, then run again."
        ) from error


def _lines(file: BinaryIO) -> Iterator[_Line]:
    number, offset = 0, 0
    while content := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        size = len(content)
        too_long = size > MAX_LINE_BYTES and not content.endswith(b"\n")
        if too_long:
            size += _skip_to_newline(file)
        if number == 1:
            content = content.removeprefix(codecs.BOM_UTF8)
        yield _Line(number, offset, content, too_long)
        offset += size


def _skip_to_newline(file: BinaryIO) -> int:
    skipped = 0
    while chunk := file.readline(MAX_LINE_BYTES):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped


def _read_row(line: _Line, source: str) -> Record | Fault:
    if line.too_long:
        return Fault("line_too_long", f"more than {MAX_LINE_BYTES} bytes")
    fields = parse_object(line.content.rstrip(b"\r\n"))
    if isinstance(fields, Fault):
        return fields
    return _fault_in(fields) or _record(fields, source, line.number)


def _fault_in(fields: dict[str, Any]) -> Fault | None:
    for name in ("instruction", "output"):
        if fields.get(name) is None:
            return Fault(f"missing_{name}", "null" if name in fields else "no such key")
    for name in ("instruction", "input", "output", "intent"):
        if not isinstance(fields.get(name), str | None):
            return Fault("wrong_type", f"{name} is {kind_of(fields[name])}, not text")
    return None


def _record(fields: dict[str, Any], source: str, line: int) -> Record:
    question: str = fields["instruction"]
    context: str = fields.get("input") or ""
    if context.strip():
        question = f"{question}\n{context}"
    messages = (Message("user", question), Message("assistant", fields["output"]))
    return Record(content_id(messages), messages, source, line, fields.get("intent"))
