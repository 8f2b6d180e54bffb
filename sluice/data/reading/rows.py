"""What reading gives: raw rows and rejects, within limits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sluice.data.outcomes import Reject
from sluice.data.record import ID_CHARS
from sluice.data.strict_json import Fault
from sluice.recipe import DataSection

CONVERT_HINT = (
    "If the file is in another encoding, convert it, e.g. `iconv -f GB18030 -t UTF-8 old > new`"
)


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it was read: its fields by name, as JSON has them.

    `line` counts from 1: lines of a file, or its rows where it has no lines. `offset` counts bytes
    from 0, of the unpacked file; -1 where the format does not tell. `id` is a digest of the row's
    bytes, or of its canonical JSON where the format has no bytes of its own.
    """

    values: dict[str, Any]
    line: int
    offset: int
    id: str


@dataclass(frozen=True)
class Limits:
    """What bounds the memory and time that bad content can take.

    A row has at most `max_line_bytes` bytes and `max_nesting` levels, the row itself being the
    first; a file unpacks to at most `max_decompressed_bytes`.
    """

    max_line_bytes: int
    max_nesting: int
    max_decompressed_bytes: int

    @classmethod
    def of(cls, section: DataSection) -> Limits:
        """The limits that a recipe sets."""
        return cls(section.max_line_bytes, section.max_nesting, section.max_decompressed_bytes)


def bytes_id(content: bytes) -> str:
    """The id of a row that has bytes of its own."""
    return hashlib.sha256(content).hexdigest()[:ID_CHARS]


def rejected(fault: Fault, source: str, line: int, offset: int, id: str) -> Reject:
    """The reject that a fault makes of a row."""
    return Reject(id, source, line, offset, fault.reason, fault.detail)


def too_long(limits: Limits) -> Fault:
    """The fault of a row that was not read to its end."""
    return Fault("line_too_long", f"more than {limits.max_line_bytes} bytes")


def describe_rejects(rejects: Iterable[Reject], limit: int = 3) -> str:
    """The first rejects as `file:line reason (detail)`, for an error message."""
    listed = list(rejects)
    shown = "; ".join(f"{r.source}:{r.line} {r.reason} ({r.detail})" for r in listed[:limit])
    foreign = any(reject.reason == "bad_utf8" for reject in listed[:limit])
    return f"{shown}. {CONVERT_HINT}" if foreign else shown
