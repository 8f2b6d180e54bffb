"""The look of `screen`, compiled: one pass over the UTF-8 bytes, a nanosecond or two for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from sluice.data.cleaning.screen import REPAIR, RUN
from sluice.data.compiled import compiled, decode
from sluice.data.text_bytes import bytes_of

_NEW_LINE = 10
_BLANK = 32
# UTF-8 that was read as Latin-1 or its like shows a letter of these (a first byte of UTF-8), then
# another character that is not ASCII and lies below the letterlike symbols.
_FIRST_SIGN, _LAST_SIGN, _END_OF_SIGNS = 0xC2, 0xF4, 0x2123


def looked_over(texts: Any, pairs: Any, calm: Any, longest_run: int) -> Any:
    """The numbers of the texts that may need a repair."""
    data, offsets = bytes_of(texts)
    found = np.zeros(len(texts), dtype=np.uint8)
    _look(data, offsets, pairs, calm, longest_run, found)
    return np.flatnonzero(found)


@compiled
def _look(data: Any, offsets: Any, pairs: Any, calm: Any, longest_run: int, found: Any) -> None:
    for row in range(len(offsets) - 1):
        start, end = offsets[row], offsets[row + 1]
        if end > start:
            found[row] = _is_suspect(data, start, end, pairs, calm, longest_run)


@compiled
def _is_suspect(data: Any, start: int, end: int, pairs: Any, calm: Any, longest_run: int) -> bool:
    if end - start == 1 or data[start] <= _BLANK or data[end - 1] <= _BLANK:
        return True
    run = 1
    code = np.int64(0)
    byte = np.int64(0)
    i = start
    while i < end:
        before, code_before = byte, code
        byte = np.int64(data[i])
        pair = pairs[before * 256 + byte] if i > start else np.uint8(0)
        if pair == REPAIR:
            return True
        if byte < 0x80:
            code = byte
            i += 1
            run = run + 1 if code == code_before else 1
            if (pair == RUN and run > longest_run) or (code == _NEW_LINE and run > 2):
                return True
            continue
        code, width = decode(data, i)
        i += width
        byte = np.int64(data[i - 1])
        if not calm[code]:
            return True
        run = run + 1 if code == code_before else 1
        if run > longest_run:
            return True
        if code < _END_OF_SIGNS and _FIRST_SIGN <= code_before <= _LAST_SIGN:
            return True
    return False
