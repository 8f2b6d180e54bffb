"""Phrases of questions as numbers, for a whole table at once.

A phrase is one to three words, or two to six characters where a script has no spaces. It stands as
a 64-bit hash of its tokens; the hash is the same in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from sluice.data.similarity import tokens_of

WORDS = (1, 2, 3)
CHARACTERS = (2, 3, 4, 5, 6)
LONGEST = max(*WORDS, *CHARACTERS)
BASE = 0x9E3779B97F4A7C15  # odd, so that no bit of an earlier token is lost


@dataclass(frozen=True, slots=True)
class Questions:
    """The tokens of many questions in a row; `starts` has one entry more than there are rows."""

    tokens: list[list[str]]
    hashes: Any  # uint64, of each token
    starts: Any  # int64, where each row's tokens begin
    unspaced: Any  # bool, for each row


@dataclass(frozen=True, slots=True)
class Phrases:
    """Each phrase of each row once: the row it is in, and its hash. Ordered by row."""

    rows: Any
    hashes: Any


def questions_of(texts: Sequence[str]) -> Questions:
    """Tokens and their hashes."""
    tokens = [tokens_of(text) for text in texts]
    known: dict[str, int] = {}
    flat = [known.get(t) or known.setdefault(t, hash_of(t)) for row in tokens for t in row]
    lengths = np.array([len(row) for row in tokens], np.int64)
    return Questions(
        tokens=tokens,
        hashes=np.array(flat, np.uint64),
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        unspaced=np.array([bool(row) and max(map(len, row)) == 1 for row in tokens], bool),
    )


def hash_of(text: str) -> int:
    """64 bits that stand for a text, the same on every machine."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def phrases_of(questions: Questions) -> Phrases:
    """All phrases of all rows, each once in its row."""
    lengths = np.diff(questions.starts)
    row = np.repeat(np.arange(len(lengths)), lengths)
    after = np.repeat(questions.starts[1:], lengths)  # where the row of each token ends
    position = np.arange(len(row))
    unspaced = questions.unspaced[row]
    gram = np.zeros(len(row), np.uint64)
    rows: list[Any] = [row[:0]]
    hashes: list[Any] = [gram[:0]]
    for n in range(1, LONGEST + 1):
        shifted = np.zeros_like(gram)
        shifted[: max(0, len(gram) - n + 1)] = questions.hashes[n - 1 :]
        gram = gram * np.uint64(BASE) + shifted
        fits = (position + n <= after) & np.where(unspaced, n in CHARACTERS, n in WORDS)
        rows.append(row[fits])
        hashes.append(gram[fits])
    return _once(np.concatenate(rows), np.concatenate(hashes))


def _once(rows: Any, hashes: Any) -> Phrases:
    order = np.lexsort((hashes, rows))
    rows, hashes = rows[order], hashes[order]
    new = np.ones(len(rows), bool)
    new[1:] = (rows[1:] != rows[:-1]) | (hashes[1:] != hashes[:-1])
    return Phrases(rows[new], hashes[new])
