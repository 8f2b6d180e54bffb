"""Near copies: candidates compared exactly, and the decision about each row.

A row is a near copy of another if

- what was said before the question, and the tools, are the same;
- question and answer name the same numbers, signs and negative words in the same order;
- question and answer, each compared with its own kind, say the same in nearly the same words
  (`sluice.data.duplicates.compare`).

It is dropped if such a row comes before it in the order of `keep`. There is no chain: a row is
never dropped for being like a row that is like another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from sluice.data.comparison import decisions
from sluice.data.duplicates.compare import DIFFERENT, SAME, compare
from sluice.data.duplicates.lexicon import lexicon
from sluice.data.duplicates.slips import only_slips
from sluice.data.duplicates.store import Store, open_store
from sluice.data.similarity.fold import FoldedTexts
from sluice.data.similarity.hashed import HashedRows, hashed_tokens

nb: Any = numba  # not typed

NEAR_DUPLICATE = "near_duplicate"

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Near:
    """Row `later` is a near copy of row `earlier`, which came from `place`."""

    earlier: int
    later: int
    place: str
    similarity: float


def near_copies(
    pairs: Any, stores: Sequence[Path], starts: Sequence[int], similarity: float
) -> Any:
    """Decisions about the rows `row_b` that are near copies of a `row_a`.

    `stores[i]` holds the rows from number `starts[i]` on. At most two stores are mapped at once.
    `detail` is the place of the row that comes first in order (the lowest `row_a` for `first`;
    otherwise any, but always the same) and the similarity of the two.
    """
    earliest: dict[int, Near] = {}
    for near in near_pairs(pairs, stores, starts, similarity):
        known = earliest.get(near.later)
        if known is None or near.earlier < known.earlier:
            earliest[near.later] = near
    found = [earliest[row] for row in sorted(earliest)]
    return decisions(
        [near.later for near in found],
        "dropped",
        [NEAR_DUPLICATE] * len(found),
        [f"{near.place} {near.similarity:.2f}" for near in found],
    )


def near_pairs(
    pairs: Any, stores: Sequence[Path], starts: Sequence[int], similarity: float
) -> Iterator[Near]:
    """Those of the pairs `row_a`, `row_b` that are near copies, with their similarity."""
    for (part_a, part_b), a, b in _by_parts(pairs, np.asarray(starts, dtype=np.int64)):
        store_a = open_store(stores[part_a])
        store_b = store_a if part_a == part_b else open_store(stores[part_b])
        for row_a, row_b, alike in compared(store_a, store_b, a, b, similarity):
            yield Near(
                starts[part_a] + row_a, starts[part_b] + row_b, store_a.place(row_a), alike
            )


def compared(
    store_a: Store, store_b: Store, a: Rows, b: Rows, similarity: float
) -> Iterator[tuple[int, int, float]]:
    """Rows of two stores, pair by pair: those that are near, with their similarity."""
    close = np.flatnonzero(store_a.guards[a] == store_b.guards[b])
    a, b = a[close], b[close]
    questions = _verdicts(store_a.questions, store_b.questions, a, b, similarity)
    close = np.flatnonzero(questions[:, 0] != DIFFERENT)
    a, b, questions = a[close], b[close], questions[close]
    answers = _verdicts(store_a.answers, store_b.answers, a, b, similarity)
    for i in np.flatnonzero(answers[:, 0] != DIFFERENT).tolist():
        row_a, row_b = int(a[i]), int(b[i])
        if all(
            verdict == SAME or only_slips(texts_a.text(row_a), texts_b.text(row_b))
            for verdict, texts_a, texts_b in (
                (questions[i, 0], store_a.questions, store_b.questions),
                (answers[i, 0], store_a.answers, store_b.answers),
            )
        ):
            shared, union = (questions[i] + answers[i])[1:].tolist()
            yield row_a, row_b, shared / union


def _by_parts(pairs: Any, starts: Rows) -> Iterator[tuple[tuple[int, int], Rows, Rows]]:
    """The pairs of each two parts, as rows within them."""
    a, b = (pairs.column(name).to_numpy() for name in ("row_a", "row_b"))
    part_a, part_b = (np.searchsorted(starts, rows, side="right") - 1 for rows in (a, b))
    order = np.lexsort((b, a, part_a, part_b))
    a, b, part_a, part_b = (values[order] for values in (a, b, part_a, part_b))
    cuts = np.flatnonzero(np.diff(part_a) | np.diff(part_b)) + 1
    for block in np.split(np.arange(len(order)), cuts):
        if len(block):
            first, second = int(part_a[block[0]]), int(part_b[block[0]])
            yield (first, second), a[block] - starts[first], b[block] - starts[second]


def _verdicts(a: FoldedTexts, b: FoldedTexts, rows_a: Rows, rows_b: Rows, similarity: float) -> Any:
    """For each pair of texts: the verdict, and how many shingles are shared, of how many."""
    both, place_a = np.unique(rows_a, return_inverse=True)
    others, place_b = np.unique(rows_b, return_inverse=True)
    tokens_a, tokens_b = hashed_tokens(a.take(both)), hashed_tokens(b.take(others))
    return _compared(
        *_flat(tokens_a),
        *_flat(tokens_b),
        place_a,
        place_b,
        a.unspaced[rows_a] & b.unspaced[rows_b],
        similarity,
        *lexicon()[:2],
    )


def _flat(rows: HashedRows) -> tuple[Any, Any]:
    return rows.hashes, rows.offsets


@nb.njit(cache=True, nogil=True)
def _compared(
    tokens_a: Any,
    offsets_a: Any,
    tokens_b: Any,
    offsets_b: Any,
    rows_a: Any,
    rows_b: Any,
    unspaced: Any,
    similarity: float,
    hashes: Any,
    kinds: Any,
) -> Any:
    found = np.zeros((len(rows_a), 3), dtype=np.int64)
    for pair in range(len(rows_a)):
        i, j = rows_a[pair], rows_b[pair]
        a = tokens_a[offsets_a[i] : offsets_a[i + 1]]
        b = tokens_b[offsets_b[j] : offsets_b[j + 1]]
        verdict, shared, union = compare(a, b, unspaced[pair], similarity, hashes, kinds)
        found[pair, 0], found[pair, 1], found[pair, 2] = verdict, shared, union
    return found
