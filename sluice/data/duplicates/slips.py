"""Misspelled words: told from other words by how little they differ."""

from __future__ import annotations

from collections.abc import Iterable

from sluice.data.similarity import tokens_of

SLIP_LETTERS = 5  # shorter words are too close to each other: "cat" and "car" are two animals


def only_slips(a: str, b: str) -> bool:
    """True if each word that one of two folded texts lacks is a misspelled word of the other."""
    words_a, words_b = set(tokens_of(a)), set(tokens_of(b))
    only_a, only_b = words_a - words_b, words_b - words_a
    return _explained(only_a, only_b) or _explained(only_b, only_a)


def _explained(words: Iterable[str], by: Iterable[str]) -> bool:
    candidates = list(by)
    return all(any(is_slip(word, other) for other in candidates) for word in words)


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
    return (
        swapped
        or rest_a[1:] == rest_b[1:]
        or rest_a[1:] == rest_b
        or rest_a == rest_b[1:]
    )
