"""Near copies: candidates compared exactly, and the decision about each row.

A row is a near copy of another if

- what was said before the question, and the tools, are the same;
- question and answer name the same numbers, signs and negative words in the same order, or the
  sentences are the same in another order;
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

import numpy as np
import numpy.typing as npt

from sluice.data.comparison import decisions
from sluice.data.duplicates.compare import same_words, shared_shingles
from sluice.data.duplicates.guard import sentences_of
from sluice.data.duplicates.pairs import part_of
from sluice.data.duplicates.store import Store, open_store

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
    pairs: Any,
    stores: Sequence[Path],
    starts: Sequence[int],
    similarity: float,
    exchanged: int = 0,
) -> Any:
    """Decisions about the rows `row_b` that are near copies of a `row_a`.

    `stores[i]` holds the rows from number `starts[i]` on. At most two stores are mapped at once.
    `detail` is the place of the row that comes first in order (the lowest `row_a` for `first`;
    otherwise any, but always the same) and the similarity of the two.
    """
    earliest: dict[int, Near] = {}
    for near in near_pairs(pairs, stores, starts, similarity, exchanged):
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
    pairs: Any,
    stores: Sequence[Path],
    starts: Sequence[int],
    similarity: float,
    exchanged: int,
) -> Iterator[Near]:
    """Those of the pairs `row_a`, `row_b` that are near copies, with their similarity."""
    for (part_a, part_b), a, b in _by_parts(pairs, np.asarray(starts, dtype=np.int64)):
        store_a = open_store(stores[part_a])
        store_b = store_a if part_a == part_b else open_store(stores[part_b])
        for row_a, row_b, alike in compared(store_a, store_b, a, b, similarity, exchanged):
            yield Near(starts[part_a] + row_a, starts[part_b] + row_b, store_a.place(row_a), alike)


def compared(
    store_a: Store, store_b: Store, a: Rows, b: Rows, similarity: float, exchanged: int = 0
) -> Iterator[tuple[int, int, float]]:
    """Rows of two stores, pair by pair: those that are near, with their similarity."""
    same = store_a.guards.same[a] == store_b.guards.same[b]
    a, b = a[same], b[same]
    shared = np.zeros((len(a), 2), dtype=np.int64)
    sides = ((store_a.questions, store_b.questions), (store_a.answers, store_b.answers))
    for of_a, of_b in sides:
        counts = shared_shingles(of_a, of_b, a, b)
        close = counts[:, 0] >= similarity * counts[:, 1]
        a, b, shared = a[close], b[close], (shared + counts)[close]
    for of_a, of_b in sides:
        same = same_words(of_a, of_b, a, b, exchanged)
        a, b, shared = a[same], b[same], shared[same]
    same = store_a.guards.order[a] == store_b.guards.order[b]
    moved = np.flatnonzero(~same)
    same[moved] = True
    for of_a, of_b in sides:
        same[moved] &= sentences_of(of_a.take(a[moved])) == sentences_of(of_b.take(b[moved]))
    a, b, shared = a[same], b[same], shared[same]
    alike = shared[:, 0] / np.maximum(shared[:, 1], 1)
    yield from zip(a.tolist(), b.tolist(), alike.tolist(), strict=True)


def _by_parts(pairs: Any, starts: Rows) -> Iterator[tuple[tuple[int, int], Rows, Rows]]:
    """The pairs of each two parts, as rows within them."""
    a, b = (pairs.column(name).to_numpy() for name in ("row_a", "row_b"))
    part_a, part_b = part_of(a, starts), part_of(b, starts)
    order = np.lexsort((b, a, part_a, part_b))
    a, b, part_a, part_b = a[order], b[order], part_a[order], part_b[order]
    cuts = np.flatnonzero(np.diff(part_a) | np.diff(part_b)) + 1
    for block in np.split(np.arange(len(order)), cuts):
        if len(block):
            first, second = int(part_a[block[0]]), int(part_b[block[0]])
            yield (first, second), a[block] - starts[first], b[block] - starts[second]
