"""The few words that change what a sentence says, and those that do not, in English and Chinese.

Other languages have no list: there, each word counts as one that says something.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numba
import numpy as np

from sluice.data.similarity.hashed import HashedRows, token_hash
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed

NEGATIVE = 1
POSITIVE = 2  # as the first word of an answer
NUMBER = 4
EMPTY = 8  # may come, go or change without changing what is said

# "t" is what is left of "don't", 抱 stands for 抱歉 (sorry).
WORDS: dict[int, str] = {
    NEGATIVE: "no not t never cannot cant dont without none nor sorry unfortunately "
    "不 没 无 未 别 勿 非 莫 抱",
    POSITIVE: "yes yep yeah sure certainly absolutely definitely 是 可 能 有 会 对 行 好 当",
    NUMBER: "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "
    "hundred thousand million billion half dozen once twice first second third",
    EMPTY: "a an the and but so that which please pls hi hello hey thanks thank just also well "
    "吗 么 呢 吧 啊 呀 哦 哈 嘛 啦 的 地 得 了 着 过 但 而 且 也 就 请 问 您 你 亲 哟 喔 嗯 呗",
}
# A negative word that the next one makes harmless: "no problem", 没关系 (never mind), 不过 (but).
HARMLESS = (
    "no problem",
    "no worries",
    "not only",
    "不 过",
    "不 客",
    "不 错",
    "不 仅",
    "没 问",
    "没 关",
)

_SLOTS = 1024  # several times the words, so that few share a slot


@lru_cache(maxsize=1)
def lexicon() -> tuple[Any, Any, Any]:
    """Open hash table of word hashes with their kinds, and sorted hashes of harmless pairs."""
    hashes = np.zeros(_SLOTS, dtype=np.uint64)
    kinds = np.zeros(_SLOTS, dtype=np.uint8)
    for kind, words in WORDS.items():
        for word in words.split():
            value = token_hash(word)
            at = value % _SLOTS
            while kinds[at] and int(hashes[at]) != value:
                at = (at + 1) % _SLOTS
            hashes[at], kinds[at] = value, kinds[at] | kind
    return hashes, kinds, np.array([_pair_hash(pair) for pair in HARMLESS], dtype=np.uint64)


def _pair_hash(pair: str) -> int:
    first, second = (token_hash(word) for word in pair.split())
    return first ^ (second << 1) & (2**64 - 1)


def telling(tokens: HashedRows) -> HashedRows:
    """The tokens without those that say nothing."""
    return HashedRows(*_telling(tokens.hashes, tokens.offsets, *lexicon()[:2]))


@nb.njit(cache=True, inline="always")
def kind_of(token: Any, hashes: Any, kinds: Any) -> Any:
    """What the lexicon says of a token: its kinds, or 0."""
    mask = u64(len(hashes) - 1)
    at = token & mask
    while kinds[at] != 0:
        if hashes[at] == token:
            return kinds[at]
        at = (at + u64(1)) & mask
    return np.uint8(0)


@nb.njit(cache=True, inline="always")
def is_harmless(token: Any, following: Any, harmless: Any) -> bool:
    """True for a negative word that the next one makes harmless, as in "no problem"."""
    pair = token ^ (following << u64(1))
    for known in harmless:  # noqa: SIM110 - kernels know no generators
        if known == pair:
            return True
    return False


@nb.njit(cache=True, nogil=True)
def _telling(tokens: Any, offsets: Any, hashes: Any, kinds: Any) -> Any:
    kept = np.empty(len(tokens), dtype=np.uint64)
    kept_offsets = np.zeros(len(offsets), dtype=np.int64)
    count = 0
    for row in range(len(offsets) - 1):
        for place in range(offsets[row], offsets[row + 1]):
            kept[count] = tokens[place]
            count += int(not kind_of(tokens[place], hashes, kinds) & EMPTY)
        kept_offsets[row + 1] = count
    return kept[:count].copy(), kept_offsets
