"""Whether two sides, both questions or both answers, say the same thing in nearly the same words.

They do if the Jaccard similarity of their token pairs reaches the threshold and no word of the one
stands for another word of the other. Two sides that are mostly a template differ in just that:
"... is the capital of Peru" is as similar to "... is the capital of Chad" as one likes, if the
rest is long enough. Words may be added, left out or moved; those of the lexicon that say nothing
("please", "吗") may come, go and change; and a slip of the pen is no other word. Of short sides
(under 8 token pairs) the words must be the same, where one more would be a different question.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from sluice.data.duplicates.claims import kind_of
from sluice.data.duplicates.lexicon import EMPTY
from sluice.data.similarity.hashed import joined
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed

DIFFERENT, SAME, ASK = 0, 1, 2  # ASK: a few words differ; they may be slips
SHORT_SHINGLES = 8
MOST_SLIPS = 3  # words of one side that may be misspelled ones of the other


@nb.njit(cache=True, nogil=True)
def compare(
    a: Any,
    b: Any,
    unspaced: Any,
    similarity: float,
    hashes: Any,
    kinds: Any,
) -> Any:
    """A verdict, and the counts of shared and of all shingles, for two rows of token hashes."""
    if len(a) == 0 or len(b) == 0:
        return (SAME if len(a) == len(b) else DIFFERENT), 0, 0
    shared, only_a, only_b = _overlap(_pairs(a), _pairs(b))
    union = shared + len(only_a) + len(only_b)
    if shared < similarity * union:
        return DIFFERENT, shared, union
    _, only_a, only_b = _overlap(a, b)
    more_a, more_b = _telling(only_a, hashes, kinds), _telling(only_b, hashes, kinds)
    if min(len(a), len(b)) <= SHORT_SHINGLES and more_a + more_b > 0:
        return DIFFERENT, shared, union
    if more_a == 0 or more_b == 0:
        return SAME, shared, union
    if unspaced or min(more_a, more_b) > MOST_SLIPS:
        return DIFFERENT, shared, union
    return ASK, shared, union


@nb.njit(cache=True, nogil=True)
def _pairs(tokens: Any) -> Any:
    if len(tokens) == 1:
        return tokens
    pairs = np.empty(len(tokens) - 1, dtype=np.uint64)
    for place in range(len(pairs)):
        pairs[place] = joined(tokens[place], tokens[place + 1])
    return pairs


@nb.njit(cache=True, nogil=True)
def _overlap(a: Any, b: Any) -> Any:
    """How many different values both have, and those that only the one or the other has."""
    size = 64
    while size < 3 * (len(a) + len(b)):
        size *= 2
    slots = np.empty(size, dtype=np.uint64)
    owners = np.zeros(size, dtype=np.uint8)  # 0 nobody, 1 a, 2 b, 3 both
    for value in a:
        at = _slot(value, slots, owners)
        slots[at], owners[at] = value, 1
    shared = 0
    for value in b:
        at = _slot(value, slots, owners)
        slots[at] = value
        shared += int(owners[at] == 1)
        owners[at] |= 2
    return shared, slots[owners == 1], slots[owners == 2]


@nb.njit(cache=True, inline="always")
def _slot(value: Any, slots: Any, owners: Any) -> Any:
    mask = u64(len(slots) - 1)
    at = value & mask
    while owners[at] != 0 and slots[at] != value:
        at = (at + u64(1)) & mask
    return at


@nb.njit(cache=True, nogil=True)
def _telling(tokens: Any, hashes: Any, kinds: Any) -> int:
    """How many of these tokens say something."""
    count = 0
    for token in tokens:
        count += int(not kind_of(token, hashes, kinds) & EMPTY)
    return count
