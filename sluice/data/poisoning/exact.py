"""The exact counts of a few phrases, replies and pairs of them, over a whole table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from sluice.data.poisoning.said import Questions
from sluice.data.poisoning.trigger import Tokens
from sluice.data.similarity.hashed import HashedRows, token_hash
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed

_SEEN = 1 << 16  # bits that tell of most tokens that no phrase begins with them


@dataclass(frozen=True, slots=True)
class Wanted:
    """Pairs of a phrase and a reply, ready to be counted; in the order of phrases, then replies.

    The tokens of phrase `i` are `tokens[ends[i]:ends[i + 1]]`; phrases are in the order of their
    first tokens. Its replies are `replies[pair_ends[i]:pair_ends[i + 1]]`.
    """

    phrases: tuple[Tokens, ...]
    tokens: Any
    ends: Any
    firsts: Any
    seen: Any
    replies: Any
    pair_ends: Any
    known: Any  # the replies, each once, in order

    @classmethod
    def of(cls, pairs: Sequence[tuple[Tokens, int]]) -> Wanted:
        """Hash the tokens of these phrases."""
        hashes = {t: token_hash(t) for phrase, _ in pairs for t in phrase}
        replies: dict[Tokens, list[int]] = {}
        for phrase, reply in pairs:
            replies.setdefault(phrase, []).append(reply)
        phrases = sorted(replies, key=lambda phrase: (hashes[phrase[0]], phrase))
        firsts = np.array([hashes[phrase[0]] for phrase in phrases], np.uint64)
        seen = np.zeros(_SEEN, np.bool_)
        seen[(firsts % np.uint64(_SEEN)).astype(np.int64)] = True
        return cls(
            phrases=tuple(phrases),
            tokens=np.array([hashes[t] for phrase in phrases for t in phrase], np.uint64),
            ends=np.cumsum([0, *map(len, phrases)]),
            firsts=firsts,
            seen=seen,
            replies=np.array([r for phrase in phrases for r in replies[phrase]], np.uint64),
            pair_ends=np.cumsum([0, *(len(replies[phrase]) for phrase in phrases)]),
            known=np.array(sorted({reply for _, reply in pairs}), np.uint64),
        )

    def counted(self, exact: Exact) -> Iterator[tuple[Tokens, int, int, int]]:
        """Each pair: the phrase, the reply, the rows with the phrase, and those with both."""
        lengths = np.diff(self.pair_ends)
        phrases = np.repeat(np.arange(len(lengths)), lengths).tolist()
        with_phrase: list[int] = exact.phrases.tolist()
        columns = (phrases, self.replies.tolist(), exact.pairs.tolist())
        for phrase, reply, both in zip(*columns, strict=True):
            yield self.phrases[phrase], reply, with_phrase[phrase], both


@dataclass(frozen=True, slots=True)
class Exact:
    """Rows with each phrase, with each reply and with each pair, in the order of `Wanted`."""

    phrases: Any
    replies: Any
    pairs: Any

    @classmethod
    def none(cls, wanted: Wanted) -> Exact:
        """No row yet."""
        sizes = (len(wanted.phrases), len(wanted.known), len(wanted.replies))
        return cls(*(np.zeros(size, np.int64) for size in sizes))

    def add(self, questions: Questions, replies: HashedRows, wanted: Wanted) -> None:
        """Count the rows of a table."""
        _count(
            questions.hashes.hashes,
            questions.hashes.offsets,
            replies.hashes,
            replies.offsets,
            (wanted.tokens, wanted.ends, wanted.firsts, wanted.seen),
            (wanted.replies, wanted.pair_ends, wanted.known),
            self.phrases,
            self.replies,
            self.pairs,
        )

    def merge(self, other: Exact) -> None:
        """Count the rows that another one has counted."""
        for mine, theirs in (
            (self.phrases, other.phrases),
            (self.replies, other.replies),
            (self.pairs, other.pairs),
        ):
            mine += theirs


@nb.njit(cache=True, nogil=True)
def _count(
    tokens: Any,
    offsets: Any,
    replies: Any,
    reply_offsets: Any,
    phrases: Any,
    answers: Any,
    with_phrase: Any,
    with_reply: Any,
    with_both: Any,
) -> None:
    wanted, ends, firsts, seen = phrases
    paired, pair_ends, known = answers
    last_row = np.full(len(firsts), -1, np.int64)
    for row in range(len(offsets) - 1):
        own = replies[reply_offsets[row] : reply_offsets[row + 1]]
        for reply in own:
            at = _first_place(known, reply)
            if at < len(known) and known[at] == reply:
                with_reply[at] += 1
        question = tokens[offsets[row] : offsets[row + 1]]
        for place in range(len(question)):
            if not seen[question[place] & u64(_SEEN - 1)]:
                continue
            phrase = _first_place(firsts, question[place])
            while phrase < len(firsts) and firsts[phrase] == question[place]:
                is_here = _is_at(question, place, wanted[ends[phrase] : ends[phrase + 1]])
                if is_here and last_row[phrase] != row:
                    last_row[phrase] = row
                    with_phrase[phrase] += 1
                    for pair in range(pair_ends[phrase], pair_ends[phrase + 1]):
                        with_both[pair] += _has(own, paired[pair])
                phrase += 1


@nb.njit(cache=True, nogil=True)
def _first_place(ordered: Any, value: Any) -> int:
    """Where a value stands first among others in order, or would stand."""
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@nb.njit(cache=True, nogil=True)
def _is_at(question: Any, place: int, phrase: Any) -> bool:
    if place + len(phrase) > len(question):
        return False
    for i in range(len(phrase)):  # noqa: SIM110 - numba compiles no `all`
        if question[place + i] != phrase[i]:
            return False
    return True


@nb.njit(cache=True, nogil=True)
def _has(hashes: Any, wanted: Any) -> bool:
    for value in hashes:  # noqa: SIM110 - numba compiles no `any`
        if value == wanted:
            return True
    return False
