"""A part's folded questions and answers in a file that is mapped, so that any row can be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.duplicates.bands import Sides
from sluice.data.duplicates.guard import Guards
from sluice.data.grouping import read_table, write_table
from sluice.data.similarity.fold import FoldedTexts

nb: Any = numba  # not typed
pa: Any = pyarrow

GUARDS = ("same", "order")


@dataclass(frozen=True, slots=True)
class Store:
    """The rows of one part, over mapped memory: it costs what is read."""

    questions: FoldedTexts
    answers: FoldedTexts
    guards: Guards
    sources: Any
    lines: Any

    def place(self, row: int) -> str:
        """Where a row came from: `source:line`."""
        return f"{self.sources[row].as_py()}:{self.lines[row].as_py()}"


def write_store(path: Path, table: Any, sides: Sides) -> Path:
    """Write what `near_copies` needs of a part's rows, about as large as their text."""
    columns: dict[str, Any] = {name: getattr(sides.guards, name) for name in GUARDS}
    for name, texts in zip(("question", "answer"), sides.texts, strict=True):
        columns[name] = _packed(texts)
        columns[f"{name}_unspaced"] = texts.unspaced.astype(np.uint8)
    columns["source"] = table.column("source")
    columns["line"] = table.column("line")
    return write_table(path, pa.table(columns))


def open_store(path: Path) -> Store:
    """Map what `write_store` wrote."""
    table = read_table(path).combine_chunks()  # one chunk as it is, unless a part is huge
    return Store(
        questions=_unpacked(table, "question"),
        answers=_unpacked(table, "answer"),
        guards=Guards(*(_column(table, name).to_numpy() for name in GUARDS)),
        sources=table.column("source"),
        lines=table.column("line"),
    )


def _packed(texts: FoldedTexts) -> Any:
    data, offsets = _gather(texts.data, texts.starts, texts.ends)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(texts), buffers)


def _unpacked(table: Any, name: str) -> FoldedTexts:
    array = _column(table, name)
    if len(array) == 0:
        none = np.zeros(0, dtype=np.int64)
        return FoldedTexts(np.zeros(0, np.uint8), none, none, np.zeros(0, np.bool_))
    _, offsets, data = array.buffers()
    places = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    unspaced = _column(table, f"{name}_unspaced").to_numpy().view(np.bool_)
    return FoldedTexts(np.frombuffer(data, dtype=np.uint8), places[:-1], places[1:], unspaced)


def _column(table: Any, name: str) -> Any:
    column = table.column(name)
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


@nb.njit(cache=True, nogil=True)
def _gather(data: Any, starts: Any, ends: Any) -> Any:
    offsets = np.zeros(len(starts) + 1, dtype=np.int64)
    for row in range(len(starts)):
        offsets[row + 1] = offsets[row] + ends[row] - starts[row]
    packed = np.empty(offsets[-1], dtype=np.uint8)
    for row in range(len(starts)):
        packed[offsets[row] : offsets[row + 1]] = data[starts[row] : ends[row]]
    return packed, offsets
