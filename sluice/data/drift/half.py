"""One half of a set of rows, as counts.

Each set is described by two halves, drawn by the rows' ids: how far they are from each other is
how far two sets of that size are by chance alone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

LENGTHS = ("question_characters", "answer_characters", "tokens")
LENGTH_BINS = 96
BINS_PER_DOUBLING = 4  # so a bin is 19 % wide, and the last one begins at 14 million
BUCKETS = 4096  # of hashed tokens: the frequent ones, which carry the counts, rarely share one
ROW_TOKENS = 64  # different tokens that one row adds to the vocabulary, at most
CELL_BITS = 22  # 4 million cells, half a megabyte: half full at 3 million different token pairs
CELLS = 1 << CELL_BITS
SAMPLED_ROWS = 512
SAMPLED_PAIRS = 8  # of each sampled row
NO_CELL = CELLS
MAX_VALUES = 256  # a tag with more values names things, and has no mix to compare

Mix = Counter[str]


@dataclass(frozen=True, slots=True)
class Half:
    """Counts of some rows. They add up, whatever the order.

    `lengths` are counts of rows by length bin; `tags` count values, or are None where there are
    too many; `vocabulary` counts rows by hashed token; `seen` has a bit for each cell that a pair
    of tokens fell into. `sampled` are the rows with the smallest hashes, `cells` those of some of
    their pairs: by these, novelty is measured against another half.
    """

    rows: int
    lengths: dict[str, Any]
    languages: Mix
    tags: dict[str, Mix | None]
    vocabulary: Any
    seen: Any
    sampled: Any
    cells: Any

    @property
    def filled(self) -> float:
        """Share of cells that a pair fell into."""
        return int(np.bitwise_count(self.seen).sum()) / CELLS


def empty_half() -> Half:
    """No rows."""
    return Half(
        rows=0,
        lengths={name: np.zeros(LENGTH_BINS, np.int64) for name in LENGTHS},
        languages=Counter(),
        tags={},
        vocabulary=np.zeros(BUCKETS, np.int64),
        seen=np.zeros(CELLS // 8, np.uint8),
        sampled=np.zeros(0, np.uint64),
        cells=np.zeros((0, SAMPLED_PAIRS), np.uint32),
    )


def joined(a: Half, b: Half) -> Half:
    """The rows of both."""
    sampled, cells = smallest(
        np.concatenate([a.sampled, b.sampled]), np.concatenate([a.cells, b.cells])
    )
    return Half(
        rows=a.rows + b.rows,
        lengths={name: a.lengths[name] + b.lengths[name] for name in LENGTHS},
        languages=a.languages + b.languages,
        tags={n: _mixed(a.tags, b.tags, n) for n in sorted({*a.tags, *b.tags})},
        vocabulary=a.vocabulary + b.vocabulary,
        seen=a.seen | b.seen,
        sampled=sampled,
        cells=cells,
    )


def smallest(keys: Any, cells: Any) -> tuple[Any, Any]:
    """The sampled rows of many: those with the smallest keys, each once."""
    kept, places = np.unique(keys, return_index=True)
    return kept[:SAMPLED_ROWS], cells[places[:SAMPLED_ROWS]]


def bounded(mix: Mix) -> Mix | None:
    """A mix of values, or None if there are too many to be one."""
    return mix if len(mix) <= MAX_VALUES else None


def _mixed(a: dict[str, Mix | None], b: dict[str, Mix | None], name: str) -> Mix | None:
    one, other = a.get(name, Counter()), b.get(name, Counter())
    return None if one is None or other is None else bounded(one + other)
