"""Whether two sides, both questions or both answers, say the same thing in nearly the same words.

Words that say nothing ("please", "吗") are left aside. Of the others, the Jaccard similarity of
pairs must reach the threshold, and no word of one side may stand for another word of the other.
Two sides that are mostly a template differ in just that: "... is the capital of Peru" is as similar
to "... is the capital of Chad" as one likes, if the rest is long enough. Words may be added, left
out or moved, and a slip of the pen is no other word. Of short sides (up to 8 words) the words must
be the same, where one more would be a different question.

What this cannot see is two words that changed places in a long text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from sluice.data.duplicates.lexicon import EMPTY, WORDS, telling
from sluice.data.similarity import tokens_of
from sluice.data.similarity.fold import FoldedTexts
from sluice.data.similarity.hashed import hashed_tokens, hashed_words, joined
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed

Rows = npt.NDArray[np.int64]

SHORT_TOKENS = 8
MOST_SLIPS = 3  # words of one side that may be misspelled ones of the other
_SILENT = frozenset(WORDS[EMPTY].split())
SLIP_LETTERS = 5  # shorter words are too close to each other: "cat" and "car" are two animals


def shared_shingles(a: FoldedTexts, b: FoldedTexts, rows_a: Rows, rows_b: Rows) -> Any:
    """For each pair of texts, how many shingles both have, and how many there are in all.

    Two texts without any token have 0 of 0; where only one has none, nothing is shared.
    """
    tokens, place_a, place_b = _hashed(hashed_tokens, a, b, rows_a, rows_b)
    return _counts(*tokens, place_a, place_b)


def same_words(
    a: FoldedTexts, b: FoldedTexts, rows_a: Rows, rows_b: Rows, exchanged: int = 0
) -> Any:
    """For each pair of texts, whether no word of the one stands for another word of the other.

    Of texts that are not short, up to `exchanged` words may.
    """
    tokens, place_a, place_b = _hashed(hashed_words, a, b, rows_a, rows_b)
    tokens_of_shorter, only_a, only_b = _differences(
        *tokens,
        place_a,
        place_b,
    ).T
    short = tokens_of_shorter <= SHORT_TOKENS
    least: Rows = np.minimum(only_a, only_b)
    most: Rows = np.maximum(only_a, only_b)
    same = np.equal(np.where(short, most, least), 0)
    same |= ~short & (least <= exchanged)
    spaced = ~(a.unspaced[rows_a] | b.unspaced[rows_b])
    for i in np.flatnonzero(~same & ~short & spaced & (least <= MOST_SLIPS)).tolist():
        same[i] = only_slips(a.text(int(rows_a[i])), b.text(int(rows_b[i])))
    return same


def only_slips(a: str, b: str) -> bool:
    """True if each word that one of two folded texts lacks is a misspelled word of the other."""
    words_a, words_b = (Counter(w for w in tokens_of(t) if w not in _SILENT) for t in (a, b))
    only_a, only_b = words_a - words_b, words_b - words_a
    return _explained(only_a, only_b) or _explained(only_b, only_a)


def is_slip(a: str, b: str) -> bool:
    """True if two words differ by one letter left out, added, changed, or swapped with the next.

    The first letter is the same, and both have five letters at least.
    """
    if min(len(a), len(b)) < SLIP_LETTERS or abs(len(a) - len(b)) > 1 or a[0] != b[0]:
        return False
    head = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), None)
    if head is None:
        return True
    rest_a, rest_b = a[head:], b[head:]
    swapped = rest_a[:2] == rest_b[1::-1] and rest_a[2:] == rest_b[2:]
    changed = rest_a[1:] == rest_b[1:]
    return swapped or changed or rest_a[1:] == rest_b or rest_a == rest_b[1:]


def _explained(words: Iterable[str], by: Iterable[str]) -> bool:
    candidates = list(by)
    return all(any(is_slip(word, other) for other in candidates) for word in words)


def _hashed(
    hashed: Any, a: FoldedTexts, b: FoldedTexts, rows_a: Rows, rows_b: Rows
) -> tuple[tuple[Any, ...], Rows, Rows]:
    """The tokens of the texts that are asked for, each text once, and where each pair's are."""
    both_a, place_a = np.unique(rows_a, return_inverse=True)
    both_b, place_b = np.unique(rows_b, return_inverse=True)
    of_a, of_b = telling(hashed(a.take(both_a))), telling(hashed(b.take(both_b)))
    return (of_a.hashes, of_a.offsets, of_b.hashes, of_b.offsets), place_a, place_b


@nb.njit(cache=True, nogil=True)
def _counts(
    tokens_a: Any, offsets_a: Any, tokens_b: Any, offsets_b: Any, rows_a: Any, rows_b: Any
) -> Any:
    found = np.zeros((len(rows_a), 2), dtype=np.int64)
    slots, owners = np.zeros(64, dtype=np.uint64), np.zeros(64, dtype=np.int64)
    for pair in range(len(rows_a)):
        i, j = rows_a[pair], rows_b[pair]
        a = tokens_a[offsets_a[i] : offsets_a[i + 1]]
        b = tokens_b[offsets_b[j] : offsets_b[j + 1]]
        size = len(slots)
        while size < 3 * (len(a) + len(b)):
            size *= 2
        if size > len(slots):
            slots, owners = np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int64)
        # Slots of earlier pairs are free: each pair has two numbers of its own.
        of_a, _ = _put(a, slots, owners, 2 * pair + 1, -1)
        of_b, shared = _put(b, slots, owners, 2 * pair + 2, 2 * pair + 1)
        found[pair, 0], found[pair, 1] = shared, of_a + of_b
    return found


@nb.njit(cache=True, nogil=True)
def _put(tokens: Any, slots: Any, owners: Any, owner: int, other: int) -> Any:
    """Put a row's shingles into the table: how many were not there, and how many another's."""
    mask = u64(len(slots) - 1)
    new = shared = 0
    for place in range(max(len(tokens) - 1, min(len(tokens), 1))):
        second = tokens[place + 1] if place + 1 < len(tokens) else u64(0)
        value = joined(tokens[place], second)
        at = value & mask
        while (owners[at] == owner or owners[at] == other) and slots[at] != value:
            at = (at + u64(1)) & mask
        if owners[at] == other:
            shared += 1
        elif owners[at] != owner:
            new += 1
        slots[at], owners[at] = value, owner
    return new, shared


@nb.njit(cache=True, nogil=True)
def _differences(
    tokens_a: Any,
    offsets_a: Any,
    tokens_b: Any,
    offsets_b: Any,
    rows_a: Any,
    rows_b: Any,
) -> Any:
    """For each pair: how many tokens the shorter has, and how many only the one and the other."""
    found = np.zeros((len(rows_a), 3), dtype=np.int64)
    for pair in range(len(rows_a)):
        i, j = rows_a[pair], rows_b[pair]
        a = np.sort(tokens_a[offsets_a[i] : offsets_a[i + 1]])
        b = np.sort(tokens_b[offsets_b[j] : offsets_b[j + 1]])
        found[pair, 0] = min(len(a), len(b))
        x = y = 0
        while x < len(a) or y < len(b):
            if x < len(a) and y < len(b) and a[x] == b[y]:
                x += 1
                y += 1
            elif y == len(b) or (x < len(a) and a[x] < b[y]):
                found[pair, 1] += 1
                x += 1
            else:
                found[pair, 2] += 1
                y += 1
    return found
