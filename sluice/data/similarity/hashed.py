"""`tokens_of` and `shingles` over a whole column, as 64-bit hashes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from sluice.data.similarity.code_points import (
    CHARACTER,
    UNSPACED_SCRIPT,
    WORD,
    code_point_table,
)
from sluice.data.similarity.fold import FoldedTexts
from sluice.data.similarity.utf8 import ONE, decode, has, u64

nb: Any = numba  # not typed

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]

_START = u64(0xCBF29CE484222325)  # FNV-1a, 64 bits, over code points
_PRIME = u64(0x00000100000001B3)
_GOLDEN = u64(0x9E3779B97F4A7C15)  # splitmix64
_MIX_1 = u64(0xBF58476D1CE4E5B9)
_MIX_2 = u64(0x94D049BB133111EB)


@dataclass(frozen=True, slots=True)
class HashedRows:
    """Hashes of each row, one row after the other: those of row `i` start at `offsets[i]`."""

    hashes: Hashes
    offsets: Places

    def take(self, rows: Places) -> HashedRows:
        """These rows."""
        lengths = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        first = np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return HashedRows(self.hashes[first + np.arange(len(first))], offsets)


def hashed_tokens(texts: FoldedTexts) -> HashedRows:
    """The hash of each token, in the order of the text."""
    return _tokens_of(texts, latin_words=False)


def hashed_words(texts: FoldedTexts) -> HashedRows:
    """The same, but in texts of characters a word of Latin letters is one token, not its letters.

    For telling which words differ: a name is another one though its letters are in the text.
    """
    return _tokens_of(texts, latin_words=True)


def hashed_shingles(tokens: HashedRows, salt: int = 0) -> HashedRows:
    """The set of hashed token pairs of each row, in no particular order but always the same one.

    As in `shingles`, one token alone is a shingle. Hashes of different salts never meet.
    """
    return HashedRows(*_shingles(tokens.hashes, tokens.offsets, u64(salt)))


def _tokens_of(texts: FoldedTexts, *, latin_words: bool) -> HashedRows:
    table = code_point_table()
    found = _tokens(texts.data, texts.starts, texts.ends, texts.unspaced, table, latin_words)
    return HashedRows(*found)


def beside(first: HashedRows, second: HashedRows) -> HashedRows:
    """For each row the hashes of the one, then those of the other."""
    return HashedRows(
        _beside(first.hashes, first.offsets, second.hashes, second.offsets),
        first.offsets + second.offsets,
    )


def token_hash(token: str) -> int:
    """The hash that `hashed_tokens` gives to a casefolded token."""
    value = _START
    with np.errstate(over="ignore"):
        for character in token:
            value = (value ^ u64(ord(character))) * _PRIME
        return int(mix(value))


@nb.njit(cache=True, inline="always")
def mix(value: Any) -> Any:
    """Spread the bits of a 64-bit number (splitmix64)."""
    value = (value ^ (value >> u64(30))) * _MIX_1
    value = (value ^ (value >> u64(27))) * _MIX_2
    return value ^ (value >> u64(31))


@nb.njit(cache=True, inline="always")
def joined(first: Any, second: Any) -> Any:
    """One hash of two, in this order."""
    return mix((first ^ (first >> u64(32))) * _GOLDEN + second)


@nb.njit(cache=True, nogil=True)
def _tokens(data: Any, starts: Any, ends: Any, unspaced: Any, table: Any, latin_words: bool) -> Any:
    offsets = np.zeros(len(starts) + 1, dtype=np.int64)
    hashes = np.empty(int((ends - starts).sum()) + 1, dtype=np.uint64)
    count = u64(0)
    for i in range(len(starts)):
        start, end = u64(starts[i]), u64(ends[i])
        if unspaced[i] and latin_words:
            count = _mixed(data, start, end, table, hashes, count)
        elif unspaced[i]:
            count = _characters(data, start, end, table, hashes, count)
        else:
            count = _words(data, start, end, table, hashes, count)
        offsets[i + 1] = count
    mixed = np.empty(count, dtype=np.uint64)
    for place in range(count):
        mixed[place] = mix(hashes[place])
    return mixed, offsets


@nb.njit(cache=True, nogil=True)
def _characters(data: Any, at: Any, end: Any, table: Any, hashes: Any, count: Any) -> Any:
    while at < end:
        code, at = decode(data, at)
        hashes[count] = (_START ^ code) * _PRIME
        count += has(table[code], CHARACTER)
    return count


@nb.njit(cache=True, nogil=True)
def _mixed(data: Any, at: Any, end: Any, table: Any, hashes: Any, count: Any) -> Any:
    value = _START
    inside = u64(0)
    while at < end:
        code, at = decode(data, at)
        character = has(table[code], CHARACTER)
        alone = character & has(table[code], UNSPACED_SCRIPT)
        if inside and (alone or not character):
            hashes[count] = value
            count += ONE
            value, inside = _START, u64(0)
        if alone:
            hashes[count] = (_START ^ code) * _PRIME
            count += ONE
        elif character:
            value, inside = (value ^ code) * _PRIME, ONE
    hashes[count] = value
    return count + inside


@nb.njit(cache=True, nogil=True)
def _words(data: Any, at: Any, end: Any, table: Any, hashes: Any, count: Any) -> Any:
    value = _START
    inside = u64(0)
    while at < end:  # no branch on the ends of words: they cannot be predicted
        code = u64(data[at])
        if code < u64(0x80):
            at += ONE
        else:
            code, at = decode(data, at)
        word = has(table[code], WORD)
        hashes[count] = value
        count += inside & (ONE - word)
        value = (value ^ code) * _PRIME if word else _START
        inside = word
    hashes[count] = value
    return count + inside


@nb.njit(cache=True, nogil=True)
def _shingles(tokens: Any, offsets: Any, salt: Any) -> Any:
    rows = len(offsets) - 1
    found = np.empty(len(tokens), dtype=np.uint64)
    found_offsets = np.zeros(rows + 1, dtype=np.int64)
    slots = np.zeros(0, dtype=np.uint64)
    owner = np.zeros(0, dtype=np.int64)
    count = 0
    for i in range(rows):
        start, end = offsets[i], offsets[i + 1]
        if 2 * (end - start) > len(slots):
            size = 64
            while size < 4 * (end - start):
                size *= 2
            slots = np.zeros(size, dtype=np.uint64)
            owner = np.full(size, -1, dtype=np.int64)
        last = max(start + 1, end - 1) if end > start else start
        for place in range(start, last):
            value = shingle(tokens, place, end, salt)
            if is_new(value, i, slots, owner):
                found[count] = value
                count += 1
        found_offsets[i + 1] = count
    return found[:count].copy(), found_offsets


@nb.njit(cache=True, inline="always")
def shingle(tokens: Any, place: int, end: int, salt: Any) -> Any:
    """The hash of the token pair at a place; of the last token alone if nothing comes after it."""
    return joined(tokens[place] + salt, tokens[place + 1] if place + 1 < end else u64(0))


@nb.njit(cache=True, inline="always")
def is_new(value: Any, row: int, slots: Any, owner: Any) -> bool:
    """Put a hash into the open table of a row, if it is not there; other rows' hashes are free."""
    at = np.int64(value & u64(len(slots) - 1))
    while owner[at] == row:
        if slots[at] == value:
            return False
        at = (at + 1) & (len(slots) - 1)
    slots[at] = value
    owner[at] = row
    return True


@nb.njit(cache=True, nogil=True)
def _beside(first: Any, first_offsets: Any, second: Any, second_offsets: Any) -> Any:
    merged = np.empty(len(first) + len(second), dtype=np.uint64)
    count = 0
    for row in range(len(first_offsets) - 1):
        for place in range(first_offsets[row], first_offsets[row + 1]):
            merged[count] = first[place]
            count += 1
        for place in range(second_offsets[row], second_offsets[row + 1]):
            merged[count] = second[place]
            count += 1
    return merged
