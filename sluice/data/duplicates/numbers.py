"""Numbers and signs in folded texts: digits, Chinese numerals, and symbols like +, % and €."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from sluice.data.similarity.code_points import DIGIT, NUMERAL, SYMBOL, code_point_table
from sluice.data.similarity.fold import FoldedTexts
from sluice.data.similarity.hashed import HashedRows, joined
from sluice.data.similarity.utf8 import decode, u64

nb: Any = numba  # not typed

_SEPARATORS = (ord("."), ord(","), ord(":"), ord("："), ord("．"))
_MINUS = ord("-")
_ONE = u64(ord("一"))


def numbers_of(texts: FoldedTexts) -> HashedRows:
    """The hash of each number of each text, in their order.

    A separator between digits belongs to the number, so 1.5 is not 15. A lone 一 is none: it is
    "a" as often as "one" (一下, 一样).
    """
    return _found(texts, False)


def numbers_and_signs_of(texts: FoldedTexts) -> HashedRows:
    """The same, and the signs between and around them: "5 > 3" and "C#" are not "5 < 3" and "C"."""
    return _found(texts, True)


def _found(texts: FoldedTexts, signs: bool) -> HashedRows:
    table = code_point_table()
    return HashedRows(*_numbers(texts.data, texts.starts, texts.ends, table, signs))


@nb.njit(cache=True, nogil=True)
def _numbers(data: Any, starts: Any, ends: Any, table: Any, signs: bool) -> Any:
    found = np.empty(int((ends - starts).sum()) + 1, dtype=np.uint64)
    offsets = np.zeros(len(starts) + 1, dtype=np.int64)
    wanted = DIGIT | NUMERAL | (SYMBOL if signs else np.uint32(0))
    count = 0
    for i in range(len(starts)):
        at, end = u64(starts[i]), u64(ends[i])
        while at < end:
            code, after = decode(data, at)
            sign = table[code] & SYMBOL != 0
            if signs and code == _MINUS and after < end:
                sign = table[data[after]] & DIGIT != 0  # not the hyphen of "e-mail"
            if not sign and not table[code] & wanted:
                at = after
            elif not sign:
                found[count], at = _number(data, at, end, table)
                count += int(found[count] != u64(0))
            else:
                found[count] = joined(u64(1), code)
                count += int(signs)
                at = after
        offsets[i + 1] = count
    return found[:count].copy(), offsets


@nb.njit(cache=True, nogil=True)
def _number(data: Any, at: Any, end: Any, table: Any) -> Any:
    """The hash of the number that starts here (0 if it is a lone 一), and the place after it."""
    code, at = decode(data, at)
    kind = table[code] & (DIGIT | NUMERAL)
    value = joined(u64(0), code)
    length = 1
    first = code
    while at < end:
        code, after = decode(data, at)
        if table[code] & kind:
            value = joined(value, code)
        elif kind & DIGIT and code in _SEPARATORS and after < end and _is(data, after, table, kind):
            value = joined(value, u64(0))  # "10.30" and "10:30" are the same, "1030" is another
        else:
            break
        at = after
        length += 1
    return (u64(0) if length == 1 and first == _ONE else value), at


@nb.njit(cache=True, inline="always")
def _is(data: Any, at: Any, table: Any, kind: Any) -> Any:
    code, _ = decode(data, at)
    return table[code] & kind != 0
