"""What each Unicode code point means to the kernels, in one table made from `unicodedata`.

A code point's entry holds what it folds to in the low 21 bits (a plain space for all kinds of
space), and marks in the others.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from sluice.data.similarity.measure import UNSPACED, is_character

Table = npt.NDArray[np.uint32]

CODE_POINTS = 0x110000
FOLDED = np.uint32(0x1FFFFF)  # the low 21 bits
WORD = np.uint32(1 << 21)  # part of a word: what `\w` matches
CHARACTER = np.uint32(1 << 22)  # a token of its own in unspaced scripts
UNSPACED_SCRIPT = np.uint32(1 << 23)
SPACE = np.uint32(1 << 24)
SLOW = np.uint32(
    1 << 25
)  # composition or case folding needs more than one code point: Python does it
DIGIT = np.uint32(1 << 26)
NUMERAL = np.uint32(1 << 27)
SYMBOL = np.uint32(1 << 28)  # says something although it is no word: +, <, %, €

# Beyond the last letters of plane 3 there are only tags, variation selectors and private use.
_ASSIGNED = (range(0x33480), range(0xE0000, 0xE0200))
_SURROGATES = range(0xD800, 0xE000)
_VOWEL_AND_TAIL_JAMO = (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))
_NUMERALS = "〇零一二两三四五六七八九十百千万亿半壹贰叁肆伍陆柒捌玖拾佰仟萬億兩"
_MORE_SYMBOLS = "#%&/@\\％＃"
_DECORATION = "~|～"  # symbols by their category, but people end sentences and tables with them


@lru_cache(maxsize=1)
def code_point_table() -> Table:
    """The entry of each code point. Made once in a process, in about 0.2 s."""
    table: Table = np.arange(CODE_POINTS, dtype=np.uint32)
    for code in (code for block in _ASSIGNED for code in block if code not in _SURROGATES):
        table[code] = _entry(chr(code))
    for code in (*_composing(), *_VOWEL_AND_TAIL_JAMO):
        table[code] |= SLOW
    return table


def _entry(character: str) -> int:
    fold = character.casefold()
    slow = (
        len(fold) != 1
        or len(fold.encode()) > len(character.encode())  # kernels write where they read
        or unicodedata.combining(character) != 0
        or unicodedata.normalize("NFC", character) != character
    )
    marks = {
        WORD: character.isalnum() or character == "_",
        CHARACTER: is_character(character),
        UNSPACED_SCRIPT: UNSPACED.match(character) is not None,
        SPACE: character.isspace(),
        SLOW: slow,
        DIGIT: character.isdigit(),
        NUMERAL: character in _NUMERALS,
        SYMBOL: _is_symbol(character),
    }
    code = ord(" " if character.isspace() else character if slow else fold)
    return code | sum(int(mark) for mark, has in marks.items() if has)


def _is_symbol(character: str) -> bool:
    of_its_kind = unicodedata.category(character) in ("Sm", "Sc")
    return character in _MORE_SYMBOLS or (of_its_kind and character not in _DECORATION)


def _composing() -> list[int]:
    """Code points that merge with the one before them under NFC."""
    found: list[int] = []
    for block in _ASSIGNED:
        for code in block:
            parts = unicodedata.decomposition(chr(code)).split()
            if len(parts) == 2 and not parts[0].startswith("<"):
                found.append(int(parts[1], 16))
    return found
