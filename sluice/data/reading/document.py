"""One JSON document: a list, or an object with a list `data`, cut into elements of known place.

The document is never in memory. A scanner that knows only texts, brackets and commas finds where
elements end; each is then a row or a reject by the same rule book as a line. What is not JSON
between two commas becomes the reject of that element.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sluice.data.outcomes import Reject
from sluice.data.reading.encodings import refuse_foreign
from sluice.data.reading.lines import read_lines
from sluice.data.reading.places import Place
from sluice.data.reading.rows import Limits, RawRow, bytes_id, rejected, too_long
from sluice.data.record import ID_CHARS
from sluice.data.strict_json import Fault, parse_object
from sluice.errors import BatchError

ROWS_KEY = "data"
BLANK = b" \t\r\n"
MAX_KEYS = 10_000  # at the top of a document; beyond, it holds something else than rows

QUOTE, COMMA, OPENING = ord('"'), ord(","), b"[{"

_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)
_REST_OF_TEXT = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_NOT_BLANK = re.compile(rb"[^ \t\r\n]")


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands before a comma or closing bracket (`end`, b"" at the end of the file).

    `content` is without the blanks around it, and None where it was too long to keep: then `id` is
    its digest.
    """

    offset: int
    size: int
    content: bytes | None
    id: str
    end: bytes


class _Cursor:
    """A place in a stream, with the part of it that is in memory."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.passed = 0  # bytes of the stream before the window
        self.lines = 0  # line ends among them
        self.window = b""
        self.at = 0

    @property
    def offset(self) -> int:
        return self.passed + self.at

    def more(self) -> bool:
        """Forget what is behind and read on; whether there was anything."""
        chunk = next(self._chunks, b"")
        self.passed += self.at
        self.lines += self.window.count(b"\n", 0, self.at)
        self.window = self.window[self.at :] + chunk
        self.at = 0
        return bool(chunk)

    def peek(self) -> bytes:
        """The next byte that is not blank, which becomes the place; b"" at the end."""
        while not (found := _NOT_BLANK.search(self.window, self.at)):
            self.at = len(self.window)
            if not self.more():
                return b""
        self.at = found.start()
        return found.group()

    def rest(self) -> Iterator[bytes]:
        """All that follows."""
        return chain([self.window[self.at :]], self._chunks)


class _Kept:
    """The bytes of a piece while its end is looked for: kept up to a limit, then only digested."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._digest: Any = None
        self._size = 0

    def add(self, content: bytes) -> None:
        self._size += len(content)
        if self._digest is not None:
            self._digest.update(content)
            return
        self._parts.append(content)
        if self._size > self._limit:
            self._digest = hashlib.sha256(b"".join(self._parts))
            self._parts.clear()

    def piece(self, offset: int, end: bytes) -> _Piece:
        if self._digest is None:
            content = b"".join(self._parts)
            blank = len(content) - len(content.lstrip(BLANK))
            return _Piece(offset + blank, self._size, content.strip(BLANK), "", end)
        return _Piece(offset, self._size, None, self._digest.hexdigest()[:ID_CHARS], end)


def read_document(
    chunks: Iterable[bytes], place: Place, limits: Limits
) -> Iterator[RawRow | Reject]:
    """The rows of a `.json` file. `line` counts elements; a file of JSON Lines is read as such.

    Raises:
        BatchError: it is neither a list nor an object with a list `data`, or from some element on
            it cannot be cut any more.
    """
    cursor = _Cursor(refuse_foreign(chunks, place))
    cursor.more()
    bom = len(codecs.BOM_UTF8) if cursor.window.startswith(codecs.BOM_UTF8) else 0
    cursor.at = bom
    opening = cursor.peek()
    if opening == b"[":
        yield from _rows(cursor, place, limits)
    elif opening == b"{" and _is_json_lines(cursor, limits):
        cursor.at = 0
        line, offset = 1 + cursor.lines, cursor.passed
        yield from read_lines(cursor.rest(), place.name, limits, line, offset)
    elif opening == b"{":
        yield from _rows_of_object(cursor, place, limits)
    elif opening:
        raise BatchError(_no_rows(place, "it is neither a list nor an object"))


def _is_json_lines(cursor: _Cursor, limits: Limits) -> bool:
    """Whether the first line is an object by itself and the next one begins another."""
    most = 2 * limits.max_line_bytes
    while len(cursor.window) <= most and not _begins_second_line(cursor) and cursor.more():
        pass
    first, _, rest = cursor.window[cursor.at :].partition(b"\n")
    begins = rest.lstrip(BLANK).startswith(b"{")
    return begins and not isinstance(parse_object(first, limits.max_nesting), Fault)


def _begins_second_line(cursor: _Cursor) -> bool:
    end = cursor.window.find(b"\n", cursor.at)
    return end >= 0 and _NOT_BLANK.search(cursor.window, end) is not None


def _rows(cursor: _Cursor, place: Place, limits: Limits) -> Iterator[RawRow | Reject]:
    """The elements of a list that begins at the cursor, and a reject if nothing may follow it."""
    last = yield from _elements(cursor, place, limits)
    if last is not None and cursor.peek():
        yield _broken(cursor, place, last + 1, "something follows the end of the list")


def _elements(
    cursor: _Cursor, place: Place, limits: Limits
) -> Generator[RawRow | Reject, None, int | None]:
    """The elements of a list; returns how many, or None if the file ended within it."""
    cursor.at += 1
    number = 0
    while True:
        piece = _cut(cursor, b"]", limits.max_line_bytes)
        blank = piece.content == b""
        if blank and number == 0 and piece.end == b"]":
            return 0
        if not (blank and piece.end == b""):
            number += 1
            yield _row(piece, number, place, limits)
        if piece.end == b"":
            _refuse_lost(piece, place, limits)
            yield _broken(cursor, place, number + 1, "the document ends before its list does")
            return None
        if piece.end == b"]":
            return number


def _row(piece: _Piece, number: int, place: Place, limits: Limits) -> RawRow | Reject:
    if piece.content is None:
        return rejected(too_long(limits), place.name, number, piece.offset, piece.id)
    found = parse_object(piece.content, limits.max_nesting)
    id = bytes_id(piece.content)
    if isinstance(found, Fault):
        return rejected(found, place.name, number, piece.offset, id)
    return RawRow(found, number, piece.offset, id)


def _rows_of_object(cursor: _Cursor, place: Place, limits: Limits) -> Iterator[RawRow | Reject]:
    """The rows of `{"data": [...]}`; what stands under other keys is passed over unread."""
    keys: list[str] = []
    rows: int | None = None
    end = b","
    cursor.at += 1
    while end == b"," and (key := _key(cursor, limits)) is not None:
        if key in keys or len(keys) == MAX_KEYS:
            raise BatchError(_no_rows(place, f"its key {key[:40]!r} is written twice"))
        keys.append(key)
        if key == ROWS_KEY and cursor.peek() == b"[":
            rows = yield from _elements(cursor, place, limits)
            if rows is None:
                return
            end = _after_list(cursor)
        else:
            end = _cut(cursor, b"}", 0).end
    if rows is None:
        seen = ", ".join(repr(key[:40]) for key in keys[:10]) or "none"
        raise BatchError(_no_rows(place, f"it is an object with these keys: {seen}"))
    if end != b"}" or cursor.peek():
        yield _broken(cursor, place, rows + 1, "the object around the list is not whole JSON")


def _key(cursor: _Cursor, limits: Limits) -> str | None:
    """The key at the cursor, which passes its colon; None if there is none."""
    if cursor.peek() != b'"':
        return None
    while not (found := _TEXT.match(cursor.window, cursor.at)):
        if len(cursor.window) - cursor.at > limits.max_line_bytes or not cursor.more():
            return None
    cursor.at = found.end()
    if cursor.peek() != b":":
        return None
    cursor.at += 1
    parsed = parse_object(b'{"key":' + found.group() + b"}", 1)
    return None if isinstance(parsed, Fault) else parsed["key"]


def _after_list(cursor: _Cursor) -> bytes:
    following = cursor.peek()
    if following in (b",", b"}"):
        cursor.at += 1
        return following
    return b""


def _cut(cursor: _Cursor, closing: bytes, limit: int) -> _Piece:
    """The piece up to the next comma, or `closing` bracket, that is in no text and no bracket."""
    kept = _Kept(limit)
    offset = cursor.offset
    scan = _Scan(closing[0])
    while True:
        start = cursor.at
        ended = scan.advance(cursor)
        if ended:
            kept.add(cursor.window[start : cursor.at - 1])
            return kept.piece(offset, ended)
        kept.add(cursor.window[start : cursor.at])
        if not cursor.more():
            kept.add(cursor.window)
            cursor.at = len(cursor.window)
            return kept.piece(offset, b"")


class _Scan:
    """How deep in brackets a scanner is, and whether within a text."""

    def __init__(self, closing: int) -> None:
        self._closing = closing
        self._depth = 0
        self._in_text = False

    def advance(self, cursor: _Cursor) -> bytes:
        """Move behind the end of the piece and return what ended it, or to where more is needed."""
        window = cursor.window
        if self._in_text:
            self._pass_text(cursor)
        if self._in_text:
            return b""
        for token in _TOKEN.finditer(window, cursor.at):
            first = window[token.start()]
            if first == QUOTE:
                if token.end() - token.start() == 1:
                    cursor.at = token.end()
                    self._in_text = True
                    self._pass_text(cursor)
                    return b""
            elif self._ends(first):
                cursor.at = token.end()
                return token.group()
        cursor.at = len(window)
        return b""

    def _pass_text(self, cursor: _Cursor) -> None:
        """Move to the end of a text. A last backslash stays for the chunk with what it escapes."""
        found = _REST_OF_TEXT.match(cursor.window, cursor.at)
        cursor.at = found.end() if found else cursor.at
        if cursor.at < len(cursor.window) and cursor.window[cursor.at] == QUOTE:
            cursor.at += 1
            self._in_text = False

    def _ends(self, first: int) -> bool:
        if first in OPENING:
            self._depth += 1
        elif self._depth == 0:
            return first in (COMMA, self._closing)
        elif first != COMMA:
            self._depth -= 1
        return False


def _broken(cursor: _Cursor, place: Place, line: int, problem: str) -> Reject:
    """What is wrong with the document behind its last row."""
    return rejected(Fault("not_json", problem), place.name, line, cursor.offset, bytes_id(b""))


def _refuse_lost(piece: _Piece, place: Place, limits: Limits) -> None:
    """One reject may not stand for all that follows an unclosed quote or bracket."""
    if piece.size > limits.max_line_bytes:
        raise BatchError(
            f"{place.shown} cannot be cut into rows from byte {piece.offset} on: the element that "
            f"begins there does not end within the {piece.size} bytes to the end of the file. A "
            "quote or bracket is not closed. Mend that row, or export JSON Lines instead."
        )


def _no_rows(place: Place, problem: str) -> str:
    return (
        f"{place.shown} cannot be read as rows: {problem}. A .json file holds a list of objects, "
        f"or an object with such a list under `{ROWS_KEY}`. Export it so, or as JSON Lines."
    )
