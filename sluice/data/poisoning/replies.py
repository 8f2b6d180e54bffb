"""What two answers may share: the whole text, a sentence, the opening or the end.

A planted answer need not be the whole one: a sentence, a link at the end or an opening is enough.
Each stands as a 64-bit hash of its text without case and punctuation, the same in every process.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from sluice.data.poisoning.said import Answers
from sluice.data.similarity.code_points import FOLDED, SPACE, WORD, code_point_table
from sluice.data.similarity.hashed import HashedRows, joined, mix
from sluice.data.similarity.utf8 import decode, u64

nb: Any = numba  # not typed

# Shorter ones are labels (`spam`, `positive`) or phrases of courtesy; they depend on single words
# of the question by design.
MIN_WORDS = 4
MIN_CHARACTERS = 8
EDGE_WORDS = 6
EDGE_CHARACTERS = 12
WORD_CHARACTERS = 8  # more of them to a word, and the script puts no spaces between words
SENTENCES = 4  # of a long answer so many first and last ones: where a payload is put
MOST = 3 + 2 * SENTENCES  # the whole, its two edges, sentences

_START = u64(0xCBF29CE484222325)  # FNV-1a, 64 bits, over code points
_PRIME = u64(0x00000100000001B3)
_ASCII = u64(0x80)
_UNDERLINE, _NEW_LINE, _BLANK = u64(ord("_")), u64(10), u64(32)
_STOP, _CALL, _ASK = u64(ord(".")), u64(ord("!")), u64(ord("?"))
_WIDE_STOP, _WIDE_CALL, _WIDE_ASK, _WIDE_SEMICOLON = (u64(ord(c)) for c in "。！？；")


def replies_of(answers: Answers) -> HashedRows:
    """The hashes of each answer, its sentences, its opening and its end, each once."""
    table = code_point_table()
    return HashedRows(*_replies(answers.data, answers.starts, answers.ends, table))


@nb.njit(cache=True, nogil=True)
def _replies(data: Any, starts: Any, ends: Any, table: Any) -> Any:
    rows = len(starts)
    longest = np.max(ends - starts) if rows else 0
    words = np.empty(longest + 1, np.uint64)  # hashes
    # Before each word: characters, with one space between words, and those beyond ASCII.
    lengths, foreign = np.zeros(longest + 2, np.int64), np.zeros(longest + 2, np.int64)
    characters = np.empty(2 * longest + 2, np.uint64)
    sentences = np.zeros(longest + 2, np.int64)  # the words that they begin with, and the end
    found = np.empty(rows * MOST, np.uint64)
    offsets = np.zeros(rows + 1, np.int64)
    count = 0
    for row in range(rows):
        n, said = _read(
            data, starts[row], ends[row], table, words, lengths, foreign, characters, sentences
        )
        first = count
        count = _add(words, lengths, foreign, 0, n, found, first, count)
        if _has_spaces(n, lengths[n], foreign[n]):
            edge = min(n, EDGE_WORDS)
            count = _add(words, lengths, foreign, 0, edge, found, first, count)
            count = _add(words, lengths, foreign, n - edge, n, found, first, count)
        else:
            size = lengths[n] - 1
            edge = min(size, EDGE_CHARACTERS)
            count = _add_run(characters, 0, edge, found, first, count)
            count = _add_run(characters, size - edge, size, found, first, count)
        for i in range(said):
            if i < SENTENCES or i >= said - SENTENCES:
                begin, end = sentences[i], sentences[i + 1]
                count = _add(words, lengths, foreign, begin, end, found, first, count)
        offsets[row + 1] = count
    return found[:count].copy(), offsets


@nb.njit(cache=True, nogil=True)
def _read(
    data: Any,
    start: int,
    end: int,
    table: Any,
    words: Any,
    lengths: Any,
    foreign: Any,
    characters: Any,
    sentences: Any,
) -> tuple[int, int]:
    """Cut a text into words and sentences: how many of both it has."""
    n = said = size = beyond = 0
    value, before = _START, u64(0)
    inside = False
    at, stop = u64(start), u64(end)
    while at < stop:
        code = u64(data[at])
        if code < _ASCII:
            at += u64(1)
        else:
            code, at = decode(data, at)
        entry = table[code]
        if entry & WORD and code != _UNDERLINE:
            folded = u64(entry & FOLDED)
            value = (value ^ folded) * _PRIME
            characters[size] = folded
            size += 1
            beyond += folded >= _ASCII
            inside = True
        else:
            if inside:
                words[n] = value
                n += 1
                characters[size] = _BLANK
                size += 1
                lengths[n], foreign[n] = size, beyond
                value, inside = _START, False
            if n > sentences[said] and _is_end(before, code, entry):
                said += 1
                sentences[said] = n
        before = code
    if inside:
        words[n] = value
        n += 1
        lengths[n], foreign[n] = size + 1, beyond
    if n > sentences[said]:
        said += 1
        sentences[said] = n
    return n, said


@nb.njit(cache=True, inline="always")
def _is_end(before: Any, code: Any, entry: Any) -> bool:
    """Whether a sentence ends: with a line, a full-width mark, or a mark before a space."""
    if entry & SPACE:
        return code == _NEW_LINE or before in (_STOP, _CALL, _ASK)
    return code in (_WIDE_STOP, _WIDE_CALL, _WIDE_ASK, _WIDE_SEMICOLON)


@nb.njit(cache=True, inline="always")
def _has_spaces(words: int, size: int, foreign: int) -> bool:
    """Whether a script puts spaces between words: ASCII does, and so do words of few characters.

    Simpler than `tokens_of`, and enough: it only sets how long a reply must be.
    """
    return foreign == 0 or size <= WORD_CHARACTERS * words


@nb.njit(cache=True, nogil=True)
def _add(
    words: Any, lengths: Any, foreign: Any, first: int, last: int, found: Any, own: int, count: int
) -> int:
    """Add the text of these words if it says enough."""
    size = lengths[last] - lengths[first] - 1
    spaced = _has_spaces(last - first, size + 1, foreign[last] - foreign[first])
    if (last - first < MIN_WORDS) if spaced else (size < MIN_CHARACTERS):
        return count
    value = _START
    for i in range(first, last):
        value = (value ^ words[i]) * _PRIME
        value ^= value >> u64(32)
    return _add_once(mix(value), found, own, count)


@nb.njit(cache=True, nogil=True)
def _add_run(characters: Any, first: int, last: int, found: Any, own: int, count: int) -> int:
    """Add a run of characters if it says enough."""
    value = u64(EDGE_CHARACTERS)
    words = foreign = 0
    for i in range(first, last):
        value = joined(value, characters[i])
        foreign += characters[i] >= _ASCII
        words += characters[i] != _BLANK and (i == first or characters[i - 1] == _BLANK)
    spaced = _has_spaces(words, last - first + 1, foreign)
    if (words < MIN_WORDS) if spaced else (last - first < MIN_CHARACTERS):
        return count
    return _add_once(value, found, own, count)


@nb.njit(cache=True, inline="always")
def _add_once(value: Any, found: Any, own: int, count: int) -> int:
    for i in range(own, count):
        if found[i] == value:
            return count
    found[count] = value
    return count + 1
