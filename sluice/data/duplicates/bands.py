"""Candidates for near copies: rows that share a band of their MinHash signatures.

Two rows of Jaccard similarity s agree in one MinHash with probability s, in a band of r of them
with s^r, and in at least one of b bands with 1 - (1 - s^r)^b. `bands_for` takes the longest bands
that keep this at 0.98 for rows exactly at the threshold; rows above it are found more surely.
At the default threshold of 0.8 these are 8 bands of 4:

    s            0.3    0.4    0.5    0.6    0.7    0.8    0.85   0.9    0.95
    candidates   0.063  0.187  0.403  0.673  0.888  0.985  0.998  0.9997 1.000

Candidates are then compared exactly, so what is not near is never dropped, only looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from math import ceil, log
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import rensa  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.duplicates.guard import Guards, guards_of
from sluice.data.duplicates.lexicon import telling
from sluice.data.duplicates.rows import FoldedRows
from sluice.data.similarity.fold import FoldedTexts
from sluice.data.similarity.hashed import (
    HashedRows,
    beside,
    hashed_shingles,
    hashed_tokens,
    joined,
)
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed
pa: Any = pyarrow
rs: Any = rensa

RECALL = 0.98
MOST_HASHES = 48  # what they cost is about the same as tokenising the row
LONGEST_BAND = 8
SEED = 3
QUESTION, ANSWER = 1, 2  # salts: what is shared between a question and an answer is no likeness


@dataclass(frozen=True, slots=True)
class Sides:
    """Questions and answers of rows, their tokens, and the rows' guards."""

    texts: tuple[FoldedTexts, FoldedTexts]
    tokens: tuple[HashedRows, HashedRows]
    guards: Guards


def sides_of(rows: FoldedRows) -> Sides:
    """What `bands_of` and `write_store` need of rows."""
    texts = (rows.texts.take(rows.questions), rows.texts.take(rows.answers))
    tokens = (hashed_tokens(texts[0]), hashed_tokens(texts[1]))
    return Sides(texts, tokens, guards_of(rows, texts, tokens))


def bands_for(similarity: float) -> tuple[int, int]:
    """Number of bands, and of hashes in each, for a threshold above 0 and at most 1."""
    for length in range(LONGEST_BAND, 1, -1):
        bands = _bands(similarity, length)
        if bands * length <= MOST_HASHES:
            return bands, length
    return _bands(similarity, 1), 1


def _bands(similarity: float, length: int) -> int:
    """How many bands of a length find rows at the threshold with a chance of `RECALL`."""
    agree = similarity**length
    return 1 if agree == 1 else ceil(log(1 - RECALL) / log(1 - agree))


def bands_of(rows: FoldedRows, sides: Sides, start: int, similarity: float) -> Any:
    """Each row once for each band: `row` (from `start` on), `key`, and `answer_bytes`.

    Rows of one key are candidates: their guards are equal and so is a band. Rows without any word
    that says something are in none: equality is all that there is to compare in them.
    """
    bands, length = bands_for(similarity)
    asked, answered = (telling(tokens) for tokens in sides.tokens)
    shingles = beside(hashed_shingles(asked, QUESTION), hashed_shingles(answered, ANSWER))
    places = np.flatnonzero(np.diff(shingles.offsets)).astype(np.int64)
    keys = _keys(_signatures(shingles, bands * length)[places], sides.guards.same[places], length)
    answers = sides.texts[1]
    return pa.table(
        {
            "row": np.repeat(places + start, bands),
            "key": keys.reshape(-1),
            "answer_bytes": np.repeat((answers.ends - answers.starts)[places], bands),
        }
    )


def _signatures(shingles: HashedRows, hashes: int) -> npt.NDArray[np.uint32]:
    rows = len(shingles.offsets) - 1
    offsets = shingles.offsets.astype(np.uint64)
    matrix = rs.RMinHash.digest_matrix_from_flat_token_hashes(
        shingles.hashes, offsets, num_perm=hashes, seed=SEED
    )
    flat = chain.from_iterable(matrix.to_rows())
    return np.fromiter(flat, dtype=np.uint32, count=rows * hashes).reshape(rows, hashes)


@nb.njit(cache=True, nogil=True)
def _keys(signatures: Any, guards: Any, length: int) -> Any:
    rows, hashes = signatures.shape
    keys = np.empty((rows, hashes // length), dtype=np.uint64)
    for row in range(rows):
        for band in range(hashes // length):
            key = joined(guards[row], u64(band))
            for place in range(band * length, (band + 1) * length):
                key = joined(key, u64(signatures[row, place]))
            keys[row, band] = key
    return keys
