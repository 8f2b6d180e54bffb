"""Reading and writing one code point of UTF-8, inside kernels.

Places and code points are unsigned: numba would test each signed index for being negative.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

nb: Any = numba  # not typed
u64 = np.uint64

ONE, TWO, THREE, FOUR = u64(1), u64(2), u64(3), u64(4)
_LOW = u64(0x3F)


@nb.njit(cache=True, inline="always")
def decode(data: Any, at: Any) -> Any:
    """The code point at a place, and the place after it. The bytes must be valid UTF-8."""
    first = u64(data[at])
    if first < u64(0x80):
        return first, at + ONE
    second = u64(data[at + ONE]) & _LOW
    if first < u64(0xE0):
        return (first & u64(0x1F)) << u64(6) | second, at + TWO
    third = u64(data[at + TWO]) & _LOW
    if first < u64(0xF0):
        return (first & u64(0x0F)) << u64(12) | second << u64(6) | third, at + THREE
    fourth = u64(data[at + THREE]) & _LOW
    code = (first & u64(0x07)) << u64(18) | second << u64(12) | third << u64(6) | fourth
    return code, at + FOUR


@nb.njit(cache=True, inline="always")
def encode(data: Any, at: Any, code: Any) -> Any:
    """Write a code point at a place; returns the place after it."""
    if code < u64(0x80):
        data[at] = code
        return at + ONE
    if code < u64(0x800):
        data[at] = u64(0xC0) | code >> u64(6)
        data[at + ONE] = u64(0x80) | code & _LOW
        return at + TWO
    if code < u64(0x10000):
        data[at] = u64(0xE0) | code >> u64(12)
        data[at + ONE] = u64(0x80) | code >> u64(6) & _LOW
        data[at + TWO] = u64(0x80) | code & _LOW
        return at + THREE
    data[at] = u64(0xF0) | code >> u64(18)
    data[at + ONE] = u64(0x80) | code >> u64(12) & _LOW
    data[at + TWO] = u64(0x80) | code >> u64(6) & _LOW
    data[at + THREE] = u64(0x80) | code & _LOW
    return at + FOUR


@nb.njit(cache=True, inline="always")
def has(entry: Any, mark: Any) -> Any:
    """1 if an entry of the code point table has a mark, otherwise 0."""
    return u64(entry & mark != 0)
