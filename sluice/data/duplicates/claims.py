"""What an answer claims, in a few hashes that can be compared without its text."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.duplicates.lexicon import (
    EMPTY,
    NEGATIVE,
    NUMBER,
    POSITIVE,
    is_harmless,
    kind_of,
    lexicon,
)
from sluice.data.duplicates.numbers import numbers_of
from sluice.data.duplicates.rows import FoldedRows
from sluice.data.similarity.hashed import HashedRows, beside, hashed_tokens
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed
pa: Any = pyarrow

SHORT_ANSWER_TOKENS = 6  # up to here an answer is a label, a name or a fact, not an explanation
OPENING_TOKENS = 8  # where an answer says yes or no


def claims_of(rows: FoldedRows) -> dict[str, Any]:
    """Columns for each row's answer.

    `numbers`: the numbers it names; `says`: 1 if it opens with yes, -1 if it denies in its first
    words, otherwise 0; `words`: its tokens, if they are few enough to be a label, a name or a fact.
    """
    answers = rows.texts.take(rows.answers)
    tokens = hashed_tokens(answers)
    says, spelled, offsets, words, word_offsets = _claims(tokens.hashes, tokens.offsets, *lexicon())
    numbers = beside(numbers_of(answers), HashedRows(spelled, offsets))
    return {
        "numbers": _lists(numbers),
        "says": says,
        "words": _lists(HashedRows(words, word_offsets)),
    }


def _lists(rows: HashedRows) -> Any:
    return pa.ListArray.from_arrays(pa.array(rows.offsets, pa.int32()), pa.array(rows.hashes))


@nb.njit(cache=True, nogil=True)
def _claims(tokens: Any, offsets: Any, hashes: Any, kinds: Any, harmless: Any) -> Any:
    rows = len(offsets) - 1
    says = np.zeros(rows, dtype=np.int8)
    numbers = np.empty(len(tokens), dtype=np.uint64)
    number_offsets = np.zeros(rows + 1, dtype=np.int64)
    words = np.empty(rows * SHORT_ANSWER_TOKENS, dtype=np.uint64)
    word_offsets = np.zeros(rows + 1, dtype=np.int64)
    number_count = word_count = 0
    for row in range(rows):
        start, end = offsets[row], offsets[row + 1]
        short = end - start <= SHORT_ANSWER_TOKENS
        for place in range(start, end):
            token = tokens[place]
            kind = kind_of(token, hashes, kinds)
            if kind & NUMBER:
                numbers[number_count] = token
                number_count += 1
            if short and not kind & EMPTY:
                words[word_count] = token
                word_count += 1
            if place == start and kind & POSITIVE:
                says[row] = 1
            if says[row] == 0 and place < start + OPENING_TOKENS and kind & NEGATIVE:
                following = tokens[place + 1] if place + 1 < end else u64(0)
                if not is_harmless(token, following, harmless):
                    says[row] = -1
        number_offsets[row + 1] = number_count
        word_offsets[row + 1] = word_count
    return (
        says,
        numbers[:number_count].copy(),
        number_offsets,
        words[:word_count].copy(),
        word_offsets,
    )
