"""Conflicts: rows that give different answers to the same question.

Two answers in other words are no conflict: one question may well be answered in many ways. They
contradict each other if

- each names a number that the other does not (7 days, 15 days); or
- one opens with yes and the other denies; or
- both are short, a label, a name or a fact of at most 6 words, and only one of them denies, or
  they share no more than half of their words (Sydney, Canberra).

Which of them is right cannot be told from the rows, so all rows of the question wait for a person.
`strict` takes any two different answers for a contradiction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np

from sluice.data.comparison import decisions
from sluice.data.duplicates.keys import NO_QUESTION

CONFLICTING_ANSWERS = "conflicting_answers"
MOST_ANSWERS = 50  # different answers to one question that are compared with each other
SHARE_OF_ANOTHER_FACT = 0.5

Conflicts = Literal["quarantine", "strict", "keep"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What an answer claims: see `claims_of`."""

    numbers: frozenset[int]
    says: int
    words: frozenset[int]


def decide_conflicts(table: Any, conflicts: Conflicts) -> Any:
    """Decisions about all rows of the questions whose answers contradict each other.

    The table is that of `keys_of` for rows that are left after `decide_exact`, with `question_key`
    as `key`. `detail` is the place of the first other row whose answer is another one, and why.
    """
    found: list[tuple[int, str]] = []
    if conflicts != "keep":
        for rows in _contested(table):
            found += _decided(table.take(rows), conflicts)
    return decisions(
        [row for row, _ in found],
        "quarantined",
        [CONFLICTING_ANSWERS] * len(found),
        [detail for _, detail in found],
    )


def contradiction(a: Claims, b: Claims) -> str | None:
    """How two answers contradict each other; None if they do not, as far as this can tell."""
    if a.numbers - b.numbers and b.numbers - a.numbers:
        return "numbers"
    if a.says * b.says < 0:
        return "yes and no"
    least = min(len(a.words), len(b.words))
    if least == 0:
        return None
    denied = (a.says < 0) != (b.says < 0)
    other = len(a.words & b.words) <= SHARE_OF_ANOTHER_FACT * least
    return "short answers" if denied or other else None


def _contested(table: Any) -> list[Any]:
    """Which rows have one question and several answers: question by question, in their order."""
    keys, answers, rows = (table.column(n).to_numpy() for n in ("key", "answer_key", "row"))
    if not len(keys):
        return []
    order = np.lexsort((rows, keys))
    keys, answers = keys[order], answers[order]
    starts = np.concatenate([[0], np.flatnonzero(np.diff(keys)) + 1])
    several = np.minimum.reduceat(answers, starts) != np.maximum.reduceat(answers, starts)
    several &= keys[starts] != NO_QUESTION
    ends = np.append(starts[1:], len(order))
    return [order[starts[i] : ends[i]] for i in np.flatnonzero(several)]


def _decided(group: Any, conflicts: Conflicts) -> list[tuple[int, str]]:
    answers: list[int] = group.column("answer_key").to_pylist()
    firsts = sorted({answer: i for i, answer in reversed(list(enumerate(answers)))}.values())
    firsts = firsts[:MOST_ANSWERS]
    why = "different" if conflicts == "strict" else _first_contradiction(group, firsts)
    if why is None:
        return []
    rows, sources, lines = (group.column(n).to_pylist() for n in ("row", "source", "line"))
    return [
        (row, f"{sources[other]}:{lines[other]} {why}")
        for i, row in enumerate(rows)
        for other in [next(j for j in firsts if answers[j] != answers[i])]
    ]


def _first_contradiction(group: Any, rows: Sequence[int]) -> str | None:
    claims = _claims(group.take(rows))
    found = (contradiction(a, b) for a, b in combinations(claims, 2))
    return next((why for why in found if why is not None), None)


def _claims(table: Any) -> list[Claims]:
    columns = (table.column(name).to_pylist() for name in ("numbers", "says", "words"))
    return [
        Claims(frozenset(numbers), says, frozenset(words))
        for numbers, says, words in zip(*columns, strict=True)
    ]
