"""Parts of a batch gathered into chunks, and which rows repeat earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from sluice.data.parts import Part, read_part

pd: Any = pandas  # its stubs have no `util`

# One call of Great Expectations costs 0.1 s whatever it is given: with this many rows that is a
# few percent, and a chunk of measures still takes only a few dozen megabytes.
CHUNK_ROWS = 200_000
_SHELF_BITS = 4


def chunks_of(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Runs of parts of at most `CHUNK_ROWS` rows together; a larger part stands alone."""
    chunk: list[Part] = []
    for part in parts:
        if chunk and sum(one.rows for one in chunk) + part.rows > CHUNK_ROWS:
            yield chunk
            chunk = []
        chunk.append(part)
    if chunk:
        yield chunk


def repeats_in(parts: Sequence[Part]) -> Any:
    """For each row whether an earlier one has the same id; takes 10 bytes for each row.

    Ids are compared by a hash of 64 bits: among 4 million rows two differ and seem equal once in
    2 million batches.
    """
    total = sum(part.rows for part in parts)
    keys, shelves = np.empty(total, np.uint64), np.empty(total, np.uint8)
    for part in parts:
        end = part.start + part.rows
        keys[part.start : end] = _hashes(part.path)
        shelves[part.start : end] = keys[part.start : end] >> np.uint64(64 - _SHELF_BITS)
    repeated = np.zeros(total, dtype=bool)
    for shelf in range(1 << _SHELF_BITS):  # a sixteenth at a time, so that sorting needs little
        places = np.flatnonzero(shelves == shelf)
        order = np.argsort(keys[places], kind="stable")
        ordered = keys[places[order]]
        again = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
        repeated[places[order[again]]] = True
    return repeated


def _hashes(path: Path) -> Any:
    ids = read_part(path, ["id"]).column("id").to_pandas().to_numpy(dtype=object, na_value="")
    return pd.util.hash_array(ids, categorize=False)
