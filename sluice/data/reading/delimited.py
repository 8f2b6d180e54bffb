"""CSV and TSV: a header, then records in strict quotes, of which some span several lines.

A quote opens a field only at its very start, closes it only at its end, and is doubled within.
A record that breaks this is rejected as a whole: which cells it has is anyone's guess.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from sluice.data.outcomes import Reject
from sluice.data.reading.encodings import refuse_foreign
from sluice.data.reading.lines import TooLong, cut_lines
from sluice.data.reading.places import Place
from sluice.data.reading.rows import Limits, RawRow, bytes_id, rejected, too_long
from sluice.data.record import ID_CHARS
from sluice.data.strict_json import Fault
from sluice.errors import BatchError

DELIMITERS = {"csv": ",", "tsv": "\t"}
OTHER_DELIMITERS = (";", "\t", "|", ",")

_CLOSING = re.compile(rb'(?:[^"]++|"")*+"')

UNNAMED = "unnamed"


class _Record:
    """A record while its lines come in: its bytes, until it grows too long."""

    def __init__(self, line: int, offset: int, limit: int) -> None:
        self.line = line
        self.offset = offset
        self._limit = limit
        self.size = 0
        self._parts: list[bytes] = []
        self._digest: Any = None

    def add(self, line: bytes) -> None:
        """The next physical line, without its line end."""
        content = b"\n" + line if self._parts or self.too_long else line
        self.size += len(content)
        if self.too_long:
            self._digest.update(content)
        elif self.size > self._limit:
            self._stop_keeping(content)
        else:
            self._parts.append(content)

    def add_unkept(self, line: TooLong) -> None:
        """A line that is too long by itself."""
        self.size += line.size
        self._stop_keeping(line.id.encode())

    def _stop_keeping(self, content: bytes) -> None:
        self._digest = self._digest or hashlib.sha256(b"".join(self._parts))
        self._digest.update(content)
        self._parts.clear()

    @property
    def too_long(self) -> bool:
        return self._digest is not None

    @property
    def content(self) -> bytes:
        return b"".join(self._parts).removesuffix(b"\r")

    @property
    def id(self) -> str:
        if self._digest is None:
            return bytes_id(self.content)
        return self._digest.hexdigest()[:ID_CHARS]


def read_delimited(
    chunks: Iterable[bytes], place: Place, limits: Limits
) -> Iterator[RawRow | Reject]:
    """The rows of a CSV or TSV file: texts by the names of the header.

    `line` is the line on which a record starts. Empty cells are empty texts; empty lines are
    passed over.

    Raises:
        BatchError: the file is in another encoding, has no usable header, or has a quote that is
            never closed.
    """
    pieces = refuse_foreign(chunks, place)
    first = next(pieces, b"")
    bom = len(codecs.BOM_UTF8) if first.startswith(codecs.BOM_UTF8) else 0
    delimiter = DELIMITERS[place.kind]
    split = _splitter(delimiter)
    records = _records(chain([first[bom:]], pieces), bom, delimiter.encode(), place, limits)
    names: list[str] | None = None
    for record in records:
        cells = too_long(limits) if record.too_long else _cells(record.content, split)
        if names is None:
            names = _header(cells, delimiter, place)
            continue
        found = _row(cells, names)
        if isinstance(found, Fault):
            yield rejected(found, place.name, record.line, record.offset, record.id)
        else:
            yield RawRow(found, record.line, record.offset, record.id)
    if names is None:
        raise BatchError(f"{place.shown} is empty. A table begins with the names of its columns.")


def _records(
    chunks: Iterable[bytes], offset: int, delimiter: bytes, place: Place, limits: Limits
) -> Iterator[_Record]:
    """The records of a file that are not blank, the header with them.

    Raises:
        BatchError: more than `max_line_bytes` at the end of the file are within one open quote.
    """
    opened: _Record | None = None
    for number, line in enumerate(_lines(chunks, limits.max_line_bytes), 1):
        record = opened or _Record(number, offset, limits.max_line_bytes)
        if _add(record, line, opened is not None, delimiter):
            opened = record
        else:
            opened = None
            if record.too_long or record.content:
                yield record
        offset += (line.size if isinstance(line, TooLong) else len(line)) + 1
    if opened is None:
        return
    if opened.too_long:
        raise BatchError(
            f"{place.shown}: a quote that is opened in the row on line {opened.line} is not "
            f"closed within the {opened.size} bytes to the end of the file. Mend that row."
        )
    yield opened


def _add(record: _Record, line: bytes | TooLong, open_quote: bool, delimiter: bytes) -> bool:
    """Add a physical line to a record; whether a quote is open at its end."""
    if isinstance(line, TooLong):
        record.add_unkept(line)
        return open_quote != bool(line.quotes % 2)
    record.add(line)
    return (open_quote or b'"' in line) and _left_open(line, open_quote, delimiter)


def _lines(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes | TooLong]:
    for block in cut_lines(chunks, max_bytes):
        if isinstance(block, TooLong):
            yield block
        else:
            yield from block


def _left_open(line: bytes, open_quote: bool, delimiter: bytes) -> bool:
    """Whether a quote is open at the end of a line; a quote amid a field opens nothing."""
    at = 0
    while True:
        if open_quote:
            closing = _CLOSING.match(line, at)
            if closing is None:
                return True
            at = closing.end()
        elif line.startswith(b'"', at):
            open_quote = True
            at += 1
            continue
        open_quote = False
        at = line.find(delimiter, at) + 1
        if at == 0:
            return False


def _splitter(delimiter: str) -> Callable[[str], list[str] | None]:
    """A function that gives the cells of a record, or None where its quotes break the rules."""
    cell = re.compile(rf'(?:"((?:[^"]++|"")*+)"|([^"{delimiter}]*+)){delimiter}')

    def split(record: str) -> list[str] | None:
        if '"' not in record:
            return record.split(delimiter)
        found = list(cell.finditer(record + delimiter))
        if sum(m.end() - m.start() for m in found) != len(record) + len(delimiter):
            return None
        return [m[2] if m[1] is None else m[1].replace('""', '"') for m in found]

    return split


def _cells(content: bytes, split: Callable[[str], list[str] | None]) -> list[str] | Fault:
    nul = content.find(0)
    if nul >= 0:
        return Fault("nul_character", f"at byte {nul} of the row")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return Fault("bad_utf8", f"at byte {error.start} of the row")
    cells = split(text)
    if cells is None:
        return Fault("bad_quoting", "a field with quotes begins and ends with one, others double")
    return cells


def _row(cells: list[str] | Fault, names: list[str]) -> dict[str, Any] | Fault:
    if isinstance(cells, Fault):
        return cells
    if len(cells) != len(names):
        return Fault("wrong_column_count", f"{len(cells)} cells; the header has {len(names)}")
    return dict(zip(names, cells, strict=True))


def _header(cells: list[str] | Fault, delimiter: str, place: Place) -> list[str]:
    if isinstance(cells, Fault):
        raise BatchError(f"{place.shown}: its header cannot be read: {cells.reason}. Mend it.")
    names = [cell.strip() for cell in cells]
    repeated = sorted(name for name, count in Counter(names).items() if count > 1 and name)
    if repeated:
        raise BatchError(
            f"{place.shown}: {len(repeated)} names are more than once in its header: "
            f"{', '.join(repeated[:5])}. Give each column a name of its own."
        )
    if names[0] == "" and all(names[1:]) and names[1:]:
        names[0] = UNNAMED  # pandas writes the numbers of its rows there
    if not all(names):
        raise BatchError(
            f"{place.shown}: {names.count('')} of {len(names)} columns have no name, the first of "
            f"them column {names.index('') + 1}. The first line of a table names each column: "
            "delete what stands above the header, or name them."
        )
    _refuse_other_ends(names, delimiter, place)
    return names


def _refuse_other_ends(names: list[str], delimiter: str, place: Place) -> None:
    """Refuse a file whose columns or lines end with something else: it would be one wide row."""
    if any("\r" in name for name in names):
        raise BatchError(
            f"{place.shown}: its lines end with a carriage return alone. Convert them: "
            "`tr '\\r' '\\n' < old > new`."
        )
    others = [d for d in OTHER_DELIMITERS if d != delimiter and d in names[0]]
    if len(names) == 1 and others:
        raise BatchError(
            f"{place.shown}: its header is one column, {names[0][:80]!r}. It seems to be cut by "
            f"{others[0]!r}; a .{place.kind} file is cut by {delimiter!r}. Export it so."
        )
