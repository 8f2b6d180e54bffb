"""Tell files in another encoding than UTF-8, which are refused as a whole, from single bad rows."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

from sluice.data.reading.places import Place
from sluice.errors import BatchError

SAMPLE_BYTES = 64 * 1024
MIN_NULS = 8  # fewer are bad rows
MIN_NUL_SHARE = 1 / 64  # UTF-8 has none; Chinese in UTF-16 has one for each comma and line end
MIN_BAD_LINES = 3  # one wrong byte in a file of ASCII is a bad row, not another encoding
MIN_BAD_SHARE = 0.1  # of all lines, and half of those that have more than ASCII

# UTF-32 first: its mark begins with that of UTF-16.
MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
# In this order: almost any bytes are Latin text, far fewer are Chinese.
LEGACY = ("GB18030", "BIG5", "SHIFT_JIS", "CP1252")


def refuse_foreign(chunks: Iterable[bytes], place: Place) -> Iterator[bytes]:
    """The chunks as they are, unless the first of them are in another encoding than UTF-8.

    Raises:
        BatchError: the file is in UTF-16 or UTF-32, or too many of its lines are no UTF-8.
    """
    pieces = iter(chunks)
    start = b""
    while len(start) < SAMPLE_BYTES and (piece := next(pieces, b"")):
        start += piece
    sample = start[:SAMPLE_BYTES]
    found = _wide(sample) or _legacy(sample, place.kind in ("csv", "tsv"))
    if found is not None:
        raise BatchError(
            f"{place.shown} is not UTF-8; it looks like {found}. Convert it: "
            f"`iconv -f {found} -t UTF-8 old > new`."
        )
    return chain([start], pieces)


def _wide(sample: bytes) -> str | None:
    for mark, name in MARKS:
        if sample.startswith(mark):
            return name
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    few = max(first, second) < max(MIN_NULS, len(sample) * MIN_NUL_SHARE)
    if few or 9 * min(first, second) > first + second:
        return None
    # ASCII in UTF-16 has a NUL in each second byte, on the side of the higher half.
    return "UTF-16BE" if first > second else "UTF-16LE"


def _legacy(sample: bytes, has_header: bool) -> str | None:
    lines = sample.split(b"\n")
    lines = lines[:-1] or lines  # the last one may be cut within a character
    foreign = [line for line in lines if not line.isascii()]
    bad = [line for line in foreign if not _decodes(line, "utf-8")]
    header_is_bad = has_header and bool(bad) and bad[0] is lines[0]
    many = len(bad) >= max(MIN_BAD_LINES, MIN_BAD_SHARE * len(lines), len(foreign) / 2)
    if not (many or header_is_bad):
        return None
    return next((name for name in LEGACY if _decodes(b"\n".join(bad), name)), "another encoding")


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
