"""What the first bytes of many texts tell at once: of most texts, that a rule need not look.

Texts are given by their bytes, as `bytes_of` has them, and by their numbers; -1 stands for none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_FIRST, _LAST = 0xE5, 0xE8  # first bytes of U+5000 to U+8FFF: all of them Chinese characters
_BYTES = 3  # of each of those
_KINDS = np.zeros(256, np.uint8)
_VISIBLE, _LETTER, _CHINESE = 1, 2, 3  # the first two are ASCII; a letter or digit is visible too
_KINDS[0x21:0x7F] = _VISIBLE
_KINDS[[c for c in range(128) if chr(c).isalnum()]] = _LETTER
_KINDS[_FIRST : _LAST + 1] = _CHINESE
_SMALL = np.frombuffer(bytes(range(256)).lower(), np.uint8)


def shows_characters(data: Any, offsets: Any, numbers: Any, least: int) -> Any:
    """Whether each text plainly begins with `least` visible characters. False tells nothing."""
    shown = [
        np.isin(_kinds(data, offsets, numbers, range(0, least * step, step)), kinds).all(axis=0)
        for step, kinds in ((1, (_VISIBLE, _LETTER)), (_BYTES, (_CHINESE,)))
    ]
    return shown[0] | shown[1]


def first_letters(data: Any, offsets: Any, numbers: Any) -> Any:
    """A number for the first letter of each text, whatever its case; 0 where it is not told."""
    kinds = _kinds(data, offsets, numbers, range(1))[0]
    letters = np.zeros(len(numbers), np.int64)
    ascii_letters, chinese = np.flatnonzero(kinds == _LETTER), np.flatnonzero(kinds == _CHINESE)
    letters[ascii_letters] = _SMALL[data[offsets[numbers[ascii_letters]]]]
    starts = offsets[numbers[chinese]]
    for byte in range(_BYTES):
        letters[chinese] = letters[chinese] << 8 | data[starts + byte]
    return letters


def _kinds(data: Any, offsets: Any, numbers: Any, places: range) -> Any:
    """The kinds of the bytes at these places of each text, place by place; 0 behind its end."""
    kinds = np.zeros((len(places), len(numbers)), np.uint8)
    starts, ends = offsets[numbers], offsets[numbers + 1]
    for line, place in zip(kinds, places, strict=True):
        inside = np.flatnonzero((numbers >= 0) & (starts + place < ends))
        line[inside] = _KINDS[data[starts[inside] + place]]
    return kinds
