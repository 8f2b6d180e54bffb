"""Loops over the bytes of many texts, compiled by numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])

_numba: Any = numba  # not typed


def compiled(function: F) -> F:
    """A function that numba compiles when it is first called, once for all processes.

    The machine code lies beside the source file, or in the user's cache folder, or in
    `NUMBA_CACHE_DIR`; where none of them can be written, each process compiles anew.
    """
    try:
        return _numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # no place for a cache
        return _numba.njit(nogil=True, error_model="numpy")(function)


@compiled
def decode(data: Any, i: int) -> tuple[int, int]:
    """The code point at a byte, and how many bytes it has. Arrow holds valid UTF-8 only."""
    first = int(data[i])
    if first < 0x80:
        return first, 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | int(data[i + 1]) & 0x3F, 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (int(data[i + 1]) & 0x3F) << 6 | int(data[i + 2]) & 0x3F, 3
    high = (first & 0x07) << 18 | (int(data[i + 1]) & 0x3F) << 12
    return high | (int(data[i + 2]) & 0x3F) << 6 | int(data[i + 3]) & 0x3F, 4
