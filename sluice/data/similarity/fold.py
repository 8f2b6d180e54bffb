"""`folded` over a whole column: the same texts, as bytes in one buffer."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.similarity.code_points import (
    FOLDED,
    SLOW,
    SPACE,
    UNSPACED_SCRIPT,
    code_point_table,
)
from sluice.data.similarity.measure import UNSPACED_SHARE
from sluice.data.similarity.utf8 import ONE, decode, encode, has, u64

nb: Any = numba  # not typed
pa: Any = pyarrow

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_SMALL_S = np.uint32(ord("s"))
_SHARP_S = 0xDF  # "ss" takes as many bytes, so German needs no slow path


@dataclass(frozen=True, slots=True)
class FoldedTexts:
    """Text `i` is `data[starts[i]:ends[i]]`, in UTF-8.

    `unspaced` says that its tokens are characters, as `tokens_of` would decide for the text before
    its spaces were folded.
    """

    data: Bytes
    starts: Places
    ends: Places
    unspaced: Flags

    def __len__(self) -> int:
        """How many texts there are."""
        return len(self.starts)

    def text(self, number: int) -> str:
        """One text."""
        return self.data[self.starts[number] : self.ends[number]].tobytes().decode()

    def take(self, numbers: Places) -> FoldedTexts:
        """These texts, over the same bytes; -1 stands for an empty one."""
        # An empty text behind the last one is what -1 points to.
        starts, ends = np.append(self.starts, 0), np.append(self.ends, 0)
        unspaced = np.append(self.unspaced, False)
        return FoldedTexts(self.data, starts[numbers], ends[numbers], unspaced[numbers])


def fold_texts(texts: Any) -> FoldedTexts:
    """Fold an Arrow array of strings. A null is an empty text."""
    data, starts, ends = _buffers(texts)
    table = code_point_table()
    out, out_starts, out_ends, unspaced, slow = _fold(data, starts, ends, table, False)
    rest = np.flatnonzero(slow)
    if len(rest):
        patient = [_folded_by_python(data[starts[i] : ends[i]]) for i in rest]
        data, starts, ends = _buffers(pa.array(patient, pa.large_string()))
        more, more_starts, more_ends, unspaced[rest], _ = _fold(data, starts, ends, table, True)
        out_starts[rest], out_ends[rest] = more_starts + len(out), more_ends + len(out)
        out = np.concatenate([out, more])
    return FoldedTexts(out, out_starts, out_ends, unspaced)


def _buffers(texts: Any) -> tuple[Bytes, Places, Places]:
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    texts = texts.fill_null("").cast(pa.large_string())
    if len(texts) == 0:
        none = np.zeros(0, dtype=np.int64)
        return np.zeros(0, dtype=np.uint8), none, none
    _, offsets, data = texts.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    first, last = int(places[0]), int(places[-1])
    whole = np.frombuffer(data, dtype=np.uint8)[first:last] if last > first else None
    empty = np.zeros(0, dtype=np.uint8)
    return empty if whole is None else whole, places[:-1] - first, places[1:] - first


def _folded_by_python(data: Bytes) -> str:
    return unicodedata.normalize("NFC", data.tobytes().decode()).casefold()


@nb.njit(cache=True, nogil=True)
def _fold(data: Any, starts: Any, ends: Any, table: Any, patient: bool) -> Any:
    """Fold texts into a buffer of the same size; unless `patient`, leave out and mark slow ones."""
    count = len(starts)
    out = np.empty(len(data), dtype=np.uint8)
    out_starts = np.zeros(count, dtype=np.int64)
    out_ends = np.zeros(count, dtype=np.int64)
    unspaced = np.zeros(count, dtype=np.bool_)
    slow = np.zeros(count, dtype=np.bool_)
    to = u64(0)
    for i in range(count):
        start, at, end = to, u64(starts[i]), u64(ends[i])
        characters = ends[i] - starts[i]
        without_spaces = u64(0)
        after_space = ONE
        while at < end:
            code = u64(data[at])
            if code < u64(0x80):  # no branch on spaces: they cannot be predicted
                entry = table[code]
                out[to] = entry & FOLDED
                at += ONE
                to += ONE
            else:
                before = at
                code, at = decode(data, at)
                characters -= np.int64(at - before - ONE)
                entry = table[code]
                if entry & SLOW and not patient:
                    if code != _SHARP_S:
                        slow[i] = True
                        break
                    out[to] = _SMALL_S
                    to += ONE
                    entry = _SMALL_S
                    characters += 1
                without_spaces += has(entry, UNSPACED_SCRIPT)
                to = encode(out, to, u64(entry & FOLDED))
            space = has(entry, SPACE)
            to -= space & after_space  # one space for many, and none at the start
            after_space = space
        if slow[i]:
            to = start
            continue
        to -= u64(to > start) & after_space
        out_starts[i], out_ends[i] = start, to
        unspaced[i] = without_spaces > UNSPACED_SHARE * characters
    return out[:to], out_starts, out_ends, unspaced, slow
