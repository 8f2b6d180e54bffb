"""The quick look over many texts at once, compiled: one pass over the bytes that Arrow holds.

It may name a text in which nothing is found, but never misses one in which something is.

Four counts are taken along a text: characters of a token, digits of a number, dots of an IPv4
address, colons of an IPv6 address. They lie side by side in one 64-bit number, so that two tables
say all that a byte does to them: which counts go on, and which grow by one. What is told by a sign
(an `@`, or `=` behind `password`) is looked at where the last byte of such a sign stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from sluice.data.compiled import compiled
from sluice.data.privacy.quick import BETWEEN, DIGITS, NAMES, SEPARATORS, SIGNS, TOKEN_CHARACTERS
from sluice.data.text_bytes import bytes_of

# Bits of each count. The dots are the highest, as they alone may go on growing.
_TOKEN, _NUMBER, _COLONS, _DOTS = (0xFFF, 0xFFF << 12, 0xFFF << 24, 0xFFFFFFF << 36)
_ONE = {count: count & -count for count in (_TOKEN, _NUMBER, _COLONS, _DOTS)}
# With this much more, a count has a bit of its own as soon as it is full: 20 characters (the
# shortest token, an AWS access key), 6 digits (a British insurance number), 7 colons.
_TO_FULL = np.uint64((32 - 20) * _ONE[_TOKEN] + (8 - 6) * _ONE[_NUMBER] + (8 - 7) * _ONE[_COLONS])
_FULL = np.uint64(32 * _ONE[_TOKEN] + 8 * _ONE[_NUMBER] + 8 * _ONE[_COLONS])
# An IPv4 address has three dots, and four digits or five; from six on they are a number.
_THREE_DOTS = np.uint64(3 * _ONE[_DOTS])
_FOUR_DIGITS = np.uint64(4 * _ONE[_NUMBER])

_HEX = b"0123456789abcdefABCDEF"
_NOT_ASCII = bytes(range(0x80, 0x100))
_FULL_WIDTH_DOT = b"\x8e"  # the last byte of `．`; the first two are separators as well
# These tell by themselves. `--B` begins a private key (`-----BEGIN`). The sign for kelvin is the
# one character beyond ASCII whose small letter stands in a name (`KEY`).
_TELLING = ("@", "＠", "::", "--B", "\u212a")
_ASSIGNING = (*SIGNS, "是", "为")  # also `密码是…`
_ASSIGN_FROM = len(_TELLING)
_TAIL = 8  # bytes, as many as a number has; of longer names the end is enough
_BYTE = np.uint64(8)
_SMALL = np.uint64(0x2020202020202020)  # the bit that tells a small letter from a capital one


def screened(texts: Any) -> Any:
    """The numbers of the texts (an Arrow string array) that may hold something private."""
    data, offsets = bytes_of(texts)
    found = np.zeros(len(texts), dtype=np.bool_)
    _screen(data, offsets, found, *_tables())
    return np.flatnonzero(found)


@lru_cache(maxsize=1)
def _tables() -> tuple[Any, ...]:
    """For each byte the counts that go on, and what it adds; for two, may they end a sign?"""
    goes_on, adds = np.zeros(256, np.uint64), np.zeros(256, np.uint64)
    for count, growing, standing in (
        (_TOKEN, TOKEN_CHARACTERS, b""),
        (_NUMBER, DIGITS, SEPARATORS),
        (_COLONS, b":", _HEX + _NOT_ASCII),
        (_DOTS, b"." + _FULL_WIDTH_DOT, DIGITS + "．".encode()),
    ):
        goes_on[list({*growing, *standing})] += np.uint64(count)
        adds[list({*growing})] += np.uint64(_ONE[count])
    signs = (*_TELLING, *_ASSIGNING)
    ends_sign = np.zeros((256, 256), np.bool_)
    for sign in map(str.encode, signs):
        ends_sign[sign[-2] if len(sign) > 1 else slice(None), sign[-1]] = True
    between = np.zeros(256, np.bool_)
    between[list(BETWEEN.encode())] = True
    names = _endings(NAMES)
    names[0] |= _SMALL & names[1]
    return goes_on, adds, ends_sign.reshape(-1), between, _endings(signs), names


def _endings(texts: Sequence[str]) -> Any:
    """For each text its last bytes as a number, the bits that these take, and how many they are."""
    encoded = [text.encode()[-_TAIL:] for text in texts]
    numbers = [int.from_bytes(text) for text in encoded]
    masks = [(1 << 8 * len(text)) - 1 for text in encoded]
    return np.array([numbers, masks, [*map(len, encoded)]], np.uint64)


@compiled
def _screen(
    data: Any,
    offsets: Any,
    found: Any,
    goes_on: Any,
    adds: Any,
    ends_sign: Any,
    between: Any,
    signs: Any,
    names: Any,
) -> None:
    for text in range(len(offsets) - 1):
        start = offsets[text]
        counts, before = np.uint64(0), np.uint64(0)
        # Unsigned places: numba would test each signed one for being negative.
        for i in range(np.uint64(start), np.uint64(offsets[text + 1])):
            byte = data[i]
            counts = (counts & goes_on[byte]) + adds[byte]
            full = (counts + _TO_FULL) & _FULL or (counts >= _THREE_DOTS and counts & _FOUR_DIGITS)
            is_sign = ends_sign[before << _BYTE | np.uint64(byte)]
            if full or (is_sign and _is_told(data, start, int(i) + 1, between, signs, names)):
                found[text] = True
                break
            before = np.uint64(byte)


@compiled
def _is_told(data: Any, start: int, end: int, between: Any, signs: Any, names: Any) -> bool:
    """Whether a telling sign ends here, or one that assigns, behind a name such as `password`."""
    sign = _which(_tail(data, start, end), signs)
    if sign < _ASSIGN_FROM:
        return sign >= 0
    end -= int(signs[2, sign])
    while end > start and between[data[end - 1]]:
        end -= 1
    return _which(_tail(data, start, end) | _SMALL, names) >= 0


@compiled
def _tail(data: Any, start: int, end: int) -> Any:
    """The last bytes before a place as a number, the last one lowest."""
    tail = np.uint64(0)
    for i in range(max(start, end - _TAIL), end):
        tail = tail << _BYTE | np.uint64(data[i])
    return tail


@compiled
def _which(tail: Any, endings: Any) -> int:
    """The number of the first ending that a tail has; -1 if it has none."""
    for number in range(endings.shape[1]):
        if tail & endings[1, number] == endings[0, number]:
            return number
    return -1
