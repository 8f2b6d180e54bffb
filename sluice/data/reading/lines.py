"""JSON Lines: a row on each line that is not blank; also a part of a file, for large ones."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sluice.data.outcomes import Reject
from sluice.data.reading.rows import Limits, RawRow, bytes_id, rejected, too_long
from sluice.data.record import ID_CHARS
from sluice.data.strict_json import Fault, parse_object


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line that was counted and digested but not kept. `size` is without its line end."""

    size: int
    quotes: int
    id: str


class _Skipped:
    """A line that grew too long, while its end is looked for."""

    def __init__(self) -> None:
        self._size = 0
        self._quotes = 0
        self._digest = hashlib.sha256()

    def add(self, content: bytes) -> None:
        self._size += len(content)
        self._quotes += content.count(b'"')
        self._digest.update(content)

    def done(self) -> TooLong:
        return TooLong(self._size, self._quotes, self._digest.hexdigest()[:ID_CHARS])


def cut_lines(chunks: Iterable[bytes], max_bytes: int) -> Iterator[list[bytes] | TooLong]:
    """The lines of a file without their `\\n`, many at once; longer ones one by one, unkept.

    Holds one chunk and one line. Only `\\n` ends a line: JSON leaves U+2028 and its like unescaped.
    """
    rest = b""
    skipped: _Skipped | None = None
    for chunk in chunks:
        rest += chunk
        if skipped is not None:
            head, newline, rest = rest.partition(b"\n")
            skipped.add(head)
            if not newline:
                continue
            yield skipped.done()
            skipped = None
        *lines, rest = rest.split(b"\n")
        yield from _kept_apart(lines, max_bytes)
        if len(rest) > max_bytes:
            skipped = _Skipped()
            skipped.add(rest)
            rest = b""
    if skipped is not None:
        yield skipped.done()
    elif rest:
        yield [rest]


def _kept_apart(lines: list[bytes], max_bytes: int) -> Iterator[list[bytes] | TooLong]:
    if not lines or max(map(len, lines)) <= max_bytes:
        yield lines
        return
    for line in lines:
        if len(line) <= max_bytes:
            yield [line]
        else:
            skipped = _Skipped()
            skipped.add(line)
            yield skipped.done()


def read_lines(
    chunks: Iterable[bytes], source: str, limits: Limits, line: int = 1, offset: int = 0
) -> Iterator[RawRow | Reject]:
    """The rows of JSON Lines; `line` and `offset` are where the first chunk starts in its file."""
    nesting = limits.max_nesting
    number = line - 1
    for block in cut_lines(chunks, limits.max_line_bytes):
        if isinstance(block, TooLong):
            number += 1
            yield rejected(too_long(limits), source, number, offset, block.id)
            offset += block.size + 1
            continue
        for content in block:
            number += 1
            if number == 1:
                row = content.removeprefix(codecs.BOM_UTF8).rstrip(b"\r")
            else:
                row = content.rstrip(b"\r")
            values = parse_object(row, nesting)
            if not isinstance(values, Fault):
                yield RawRow(values, number, offset, bytes_id(row))
            elif row.strip():
                yield rejected(values, source, number, offset, bytes_id(row))
            offset += len(content) + 1
