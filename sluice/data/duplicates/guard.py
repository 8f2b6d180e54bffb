"""What must be equal, to the letter, for two rows to be near copies at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from sluice.data.duplicates.lexicon import NEGATIVE, NUMBER, is_harmless, kind_of, lexicon
from sluice.data.duplicates.numbers import numbers_and_signs_of
from sluice.data.duplicates.rows import FoldedRows, chained
from sluice.data.similarity.code_points import SPACE, WORD, code_point_table
from sluice.data.similarity.fold import FoldedTexts
from sluice.data.similarity.hashed import HashedRows, Hashes, joined, mix
from sluice.data.similarity.utf8 import decode, u64

nb: Any = numba  # not typed

_ENDS = tuple(ord(mark) for mark in "!?;。！？；")  # of sentences; a full stop before a space also
_FULL_STOP = ord(".")


@dataclass(frozen=True, slots=True)
class Guards:
    """Two hashes for each row.

    `same` stands for the messages before the question, the tools, and the numbers, signs and
    negative words of question and answer: rows that differ in it are never near. Price lists and
    other tables in words are alike in all but these. `order` stands for the same in their order:
    rows that differ only in it are near if their sentences are the same, in another order.
    """

    same: Hashes
    order: Hashes


def guards_of(
    rows: FoldedRows,
    sides: tuple[FoldedTexts, FoldedTexts],
    tokens: tuple[HashedRows, HashedRows],
) -> Guards:
    """The guards of rows, given their questions and answers and the tokens of these."""
    same = chained(rows.firsts, rows.digests[:, 0], rows.tools, rows.questions, rows.answers)
    order = same.copy()
    for texts, side in zip(sides, tokens, strict=True):
        figures = numbers_and_signs_of(texts)
        _add_figures(same, order, figures.hashes, figures.offsets)
        _add_words(same, order, side.hashes, side.offsets, *lexicon())
    return Guards(same, order)


def sentences_of(texts: FoldedTexts) -> Hashes:
    """One hash for each text: equal for those that have the same sentences in any order."""
    return _sentences(texts.data, texts.starts, texts.ends, code_point_table())


@nb.njit(cache=True, nogil=True)
def _add_figures(same: Any, order: Any, figures: Any, offsets: Any) -> None:
    for row in range(len(same)):
        added = u64(0)
        for place in range(offsets[row], offsets[row + 1]):
            added += mix(figures[place])
            order[row] = joined(order[row], figures[place])
        same[row] = joined(same[row], added)
        order[row] = joined(order[row], u64(1))  # where one side ends and the next begins


@nb.njit(cache=True, nogil=True)
def _add_words(
    same: Any, order: Any, tokens: Any, offsets: Any, hashes: Any, kinds: Any, harmless: Any
) -> None:
    for row in range(len(same)):
        added = u64(0)
        for place in range(offsets[row], offsets[row + 1]):
            kind = kind_of(tokens[place], hashes, kinds)
            if not kind & (NEGATIVE | NUMBER):
                continue
            following = tokens[place + 1] if place + 1 < offsets[row + 1] else u64(0)
            if kind & NUMBER or not is_harmless(tokens[place], following, harmless):
                added += mix(tokens[place])
                order[row] = joined(order[row], tokens[place])
        same[row] = joined(same[row], added)
        order[row] = joined(order[row], u64(2))


@nb.njit(cache=True, nogil=True)
def _sentences(data: Any, starts: Any, ends: Any, table: Any) -> Any:
    sentences = np.zeros(len(starts), dtype=np.uint64)
    for row in range(len(sentences)):
        at, end = u64(starts[row]), u64(ends[row])
        added = value = word = u64(0)
        while at < end:
            code, at = decode(data, at)
            stop = code == _FULL_STOP and (at == end or table[data[at]] & SPACE != 0)
            if table[code] & WORD and not stop:
                word = (word ^ code) * u64(0x100000001B3)
                continue
            if word != u64(0):
                value = joined(value, word)
                word = u64(0)
            if stop or code in _ENDS:
                added += mix(value)
                value = u64(0)
        sentences[row] = added + mix(joined(value, word) if word != u64(0) else value)
    return sentences
