"""Phrases of questions beside the replies that come with them, counted over a whole table.

A phrase is one to three words, or two to six characters where a script has no spaces. It stands as
a 64-bit hash of its tokens, the same in every process. Counts are kept by the low bits of hashes in
arrays of fixed size, so memory does not grow with the rows, and each count may be too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from sluice.data.poisoning.said import Questions
from sluice.data.similarity.hashed import HashedRows, Hashes, Places, is_new, joined
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed

MOST_WORDS = 3
LEAST_CHARACTERS, MOST_CHARACTERS = 2, 6
SLOTS = 1 << 22  # of an array of counts of phrases or pairs: 16 MB
REPLY_SLOTS = 1 << 24  # of counts of replies: 16 MB as well, as they stop at `MOST_COUNTED`
MOST_COUNTED = 255
_START = u64(LEAST_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the counts of a pair of a phrase and a reply must be for it to stand out."""

    least: int  # rows with both
    most: float  # the same
    agreement: float  # rows with both, as a share of those with the phrase
    noise: float  # rows that a count has from other phrases


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs that stand out: the row, the phrase's hash and place among the row's tokens, the reply.

    Ordered by row, then by place.
    """

    rows: Places
    phrases: Hashes
    firsts: Places
    lengths: Places
    replies: Hashes


def count_replies(replies: HashedRows, counts: Any) -> None:
    """Count the rows with each reply, in an array of `REPLY_SLOTS` bytes."""
    _count(replies.hashes, counts)


def suspects(replies: HashedRows, counts: Any, least: int) -> HashedRows:
    """Of each row the replies that at least so many rows may share."""
    enough = min(least, MOST_COUNTED)
    shared = counts[(replies.hashes & np.uint64(REPLY_SLOTS - 1)).astype(np.int64)] >= enough
    before = np.concatenate([[0], np.cumsum(shared)])
    return HashedRows(replies.hashes[shared], before[replies.offsets])


def count_phrases(questions: Questions, replies: HashedRows, phrases: Any, pairs: Any) -> None:
    """Count the rows with each phrase, and with each phrase and one of `replies`."""
    tokens = questions.hashes
    _count_phrases(
        tokens.hashes,
        tokens.offsets,
        questions.unspaced,
        replies.hashes,
        replies.offsets,
        phrases,
        pairs,
    )


def standing_out(
    questions: Questions, replies: HashedRows, phrases: Any, pairs: Any, bounds: Bounds
) -> Pairs:
    """The pairs of these rows that stand out by the counts."""
    tokens = questions.hashes
    limits = (bounds.least, bounds.most, bounds.agreement, bounds.noise)
    found = _standing_out(
        tokens.hashes,
        tokens.offsets,
        questions.unspaced,
        replies.hashes,
        replies.offsets,
        phrases,
        pairs,
        limits,
    )
    return Pairs(*found)


@nb.njit(cache=True, nogil=True)
def _count(hashes: Any, counts: Any) -> None:
    for value in hashes:
        slot = value & u64(REPLY_SLOTS - 1)
        counts[slot] += counts[slot] < MOST_COUNTED


@nb.njit(cache=True, inline="always")
def _slot(value: Any) -> Any:
    return value & u64(SLOTS - 1)


@nb.njit(cache=True, nogil=True)
def _scratch(offsets: Any) -> Any:
    """Room for the phrases of the longest row: hashes, places, lengths, and a table of hashes."""
    longest = 0
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    most = longest * max(MOST_WORDS, MOST_CHARACTERS - LEAST_CHARACTERS + 1) + 1
    size = 64
    while size < 2 * most:
        size *= 2
    return (
        np.empty(most, np.uint64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.zeros(size, np.uint64),
        np.full(size, -1, np.int64),
    )


@nb.njit(cache=True, nogil=True)
def _phrases(tokens: Any, start: int, end: int, unspaced: bool, row: int, scratch: Any) -> int:
    """Each phrase of a row once, in `scratch`; how many they are."""
    hashes, firsts, lengths, slots, owner = scratch
    least = LEAST_CHARACTERS if unspaced else 1
    most = MOST_CHARACTERS if unspaced else MOST_WORDS
    count = 0
    for first in range(start, end):
        value = _START
        for length in range(1, min(most, end - first) + 1):
            value = joined(value, tokens[first + length - 1])
            if length >= least and is_new(value, row, slots, owner):
                hashes[count] = value
                firsts[count], lengths[count] = first - start, length
                count += 1
    return count


@nb.njit(cache=True, nogil=True)
def _count_phrases(
    tokens: Any,
    offsets: Any,
    unspaced: Any,
    replies: Any,
    reply_offsets: Any,
    phrases: Any,
    pairs: Any,
) -> None:
    scratch = _scratch(offsets)
    hashes = scratch[0]
    for row in range(len(offsets) - 1):
        count = _phrases(tokens, offsets[row], offsets[row + 1], unspaced[row], row, scratch)
        for phrase in hashes[:count]:
            phrases[_slot(phrase)] += 1
            for reply in replies[reply_offsets[row] : reply_offsets[row + 1]]:
                pairs[_slot(joined(reply, phrase))] += 1


@nb.njit(cache=True, nogil=True)
def _standing_out(
    tokens: Any,
    offsets: Any,
    unspaced: Any,
    replies: Any,
    reply_offsets: Any,
    phrases: Any,
    pairs: Any,
    limits: Any,
) -> Any:
    least, most, agreement, noise = limits
    scratch = _scratch(offsets)
    hashes, firsts, lengths = scratch[0], scratch[1], scratch[2]
    found = np.empty((5, 1024), np.uint64)
    n = 0
    for row in range(len(offsets) - 1):
        if reply_offsets[row] == reply_offsets[row + 1]:
            continue
        count = _phrases(tokens, offsets[row], offsets[row + 1], unspaced[row], row, scratch)
        for i in range(count):
            alone = phrases[_slot(hashes[i])] - noise
            for reply in replies[reply_offsets[row] : reply_offsets[row + 1]]:
                together = pairs[_slot(joined(reply, hashes[i]))]
                if together < least or together > most or together < agreement * alone:
                    continue
                if n == found.shape[1]:
                    more = np.empty((5, 2 * n), np.uint64)
                    more[:, :n] = found
                    found = more
                found[0, n], found[1, n], found[4, n] = row, hashes[i], reply
                found[2, n], found[3, n] = firsts[i], lengths[i]
                n += 1
    places = found[:, :n].astype(np.int64)
    return places[0], found[1, :n].copy(), places[2], places[3], found[4, :n].copy()
