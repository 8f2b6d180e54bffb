"""What must be equal, to the letter, for two rows to be near copies at all."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from sluice.data.duplicates.claims import is_harmless, kind_of
from sluice.data.duplicates.lexicon import NEGATIVE, NUMBER, lexicon
from sluice.data.duplicates.numbers import numbers_and_signs_of
from sluice.data.duplicates.rows import FoldedRows, chained
from sluice.data.similarity.fold import FoldedTexts
from sluice.data.similarity.hashed import HashedRows, Hashes, joined
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed


def guards_of(
    rows: FoldedRows,
    sides: tuple[FoldedTexts, FoldedTexts],
    tokens: tuple[HashedRows, HashedRows],
) -> Hashes:
    """One hash for each row. Rows of different hashes are never near.

    It stands for the messages before the question, the tools, and, question and answer each, the
    numbers, signs and negative words in their order. Price lists and other tables in words are
    alike in all but these.
    """
    guards = chained(rows.firsts, rows.digests[:, 0], rows.tools, rows.questions, rows.answers)
    for texts, side in zip(sides, tokens, strict=True):
        figures = numbers_and_signs_of(texts)
        guards = _with_figures(guards, figures.hashes, figures.offsets)
        guards = _with_words(guards, side.hashes, side.offsets, *lexicon())
    return guards


@nb.njit(cache=True, nogil=True)
def _with_figures(guards: Any, figures: Any, offsets: Any) -> Any:
    found = guards.copy()
    for row in range(len(guards)):
        for place in range(offsets[row], offsets[row + 1]):
            found[row] = joined(found[row], figures[place])
        found[row] = joined(found[row], u64(1))  # where one side ends and the next begins
    return found


@nb.njit(cache=True, nogil=True)
def _with_words(
    guards: Any, tokens: Any, offsets: Any, hashes: Any, kinds: Any, harmless: Any
) -> Any:
    found = guards.copy()
    for row in range(len(guards)):
        for place in range(offsets[row], offsets[row + 1]):
            kind = kind_of(tokens[place], hashes, kinds)
            if not kind & (NEGATIVE | NUMBER):
                continue
            following = tokens[place + 1] if place + 1 < offsets[row + 1] else u64(0)
            if kind & NUMBER or not is_harmless(tokens[place], following, harmless):
                found[row] = joined(found[row], tokens[place])
        found[row] = joined(found[row], u64(2))
    return found
