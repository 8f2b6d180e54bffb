"""A text with full-width characters as plain ones, character for character, so that places hold."""

from __future__ import annotations

# Full-width forms of ASCII lie 0xFEE0 above it. Colon, comma and the like stay as they are: they
# are Chinese punctuation between words, not part of a number or an address.
_FULL_WIDTH = {ord(c) + 0xFEE0: c for c in "0123456789@.-+()/_"} | {
    first + 0xFEE0 + i: chr(first + i) for first in (ord("A"), ord("a")) for i in range(26)
}
_DASHES = dict.fromkeys([*range(0x2010, 0x2016), 0x2212, 0xFE63], "-")
_SPACES = dict.fromkeys([0xA0, 0x2002, 0x2003, 0x2007, 0x2009, 0x202F, 0x3000], " ")
_PLAIN = _FULL_WIDTH | _DASHES | _SPACES


def plain(text: str) -> str:
    """The same number of characters: full-width digits, letters, dashes and spaces become ASCII."""
    return text if text.isascii() else text.translate(_PLAIN)
