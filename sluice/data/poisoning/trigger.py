"""When a phrase is a trigger, and when it is only what a question is about.

All questions on refunds may have the same answer, and all hold the word. A trigger is put into
questions that are about different things: without it, each is still a whole question, and they
are no more like each other than any two questions are. That is the test.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import median

import numpy as np

AGREE = 0.8  # of the rows: so many must have the same neighbour for a phrase to reach further
# Measured by tests/unit/data/test_poisoning_alarm.py: planted triggers lie below, topics above.
MAX_LIKENESS = 2.0
MIN_REST = 0.6  # of the length of a question in the middle of all: what is left is still one

MIN_SURPRISE = 3.0  # standard errors: five questions may share a word or two by chance

Tokens = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """`ratio`: 1 where questions are as alike as any two. `surprise`: in standard errors."""

    ratio: float
    surprise: float

    @property
    def is_of_a_topic(self) -> bool:
        """More alike than chance allows, and by much."""
        return self.ratio > MAX_LIKENESS and self.surprise > MIN_SURPRISE


def extended(phrase: Tokens, questions: Sequence[Sequence[str]]) -> Tokens:
    """The longest phrase about this one that nearly all of the questions share."""
    while True:
        longer = _one_longer(phrase, questions)
        if longer is None:
            return phrase
        phrase = longer


def _one_longer(phrase: Tokens, questions: Sequence[Sequence[str]]) -> Tokens | None:
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for tokens in questions:
        at = place_of(phrase, tokens)
        if at < 0:
            continue
        if at > 0:
            before[tokens[at - 1]] += 1
        if at + len(phrase) < len(tokens):
            after[tokens[at + len(phrase)]] += 1
    enough = AGREE * len(questions)
    for token, count in after.most_common(1):
        if count >= enough:
            return (*phrase, token)
    for token, count in before.most_common(1):
        if count >= enough:
            return (token, *phrase)
    return None


def place_of(phrase: Tokens, tokens: Sequence[str]) -> int:
    """Where a phrase first stands among tokens, or -1."""
    if any(token not in tokens for token in phrase):  # nearly always, and quickly told
        return -1
    n = len(phrase)
    starts = range(len(tokens) - n + 1)
    return next((i for i in starts if tuple(tokens[i : i + n]) == phrase), -1)


def rest_of(phrase: Tokens, tokens: Sequence[str]) -> list[list[str]]:
    """What stands before and after a phrase; the whole where it is not found."""
    at = place_of(phrase, tokens)
    if at < 0:
        return [list(tokens)]
    return [list(tokens[:at]), list(tokens[at + len(phrase) :])]


def is_whole(phrase: Tokens, questions: Sequence[Sequence[str]], usual_length: float) -> bool:
    """Whether the questions are still whole ones without the phrase."""
    lengths = [sum(map(len, rest_of(phrase, tokens))) for tokens in questions]
    return median(lengths) >= MIN_REST * usual_length


def likeness(
    phrase: Tokens, questions: Sequence[Sequence[str]], others: Sequence[Sequence[str]]
) -> Likeness:
    """How much more two of the questions are alike than one of them and any other question.

    Two questions are alike by the Jaccard similarity of their words, without the phrase. `others`
    is a sample of all questions.
    """
    mine = [_words(rest_of(phrase, tokens)) for tokens in questions]
    theirs = [_words([list(tokens)]) for tokens in others]
    within = np.array([_jaccard(a, b) for a, b in combinations(mine, 2)])
    across = np.array([_jaccard(a, b) for a in mine for b in theirs])
    difference = float(within.mean() - across.mean())
    spread = float(across.std()) / math.sqrt(len(within))
    return Likeness(
        ratio=float(within.mean() / max(across.mean(), 1e-9)),
        surprise=difference / max(spread, 1e-9),
    )


def _jaccard(a: set[str], b: set[str]) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if shared else 0.0


def _words(runs: list[list[str]]) -> set[str]:
    """Words, or pairs of characters where each token is one character."""
    tokens = [token for run in runs for token in run]
    if tokens and max(map(len, tokens)) > 1:
        return set(tokens)
    return {a + "\0" + b for run in runs for a, b in pairwise(run)}
