"""Groups of terms that may stand for each other, and where they occur in a text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.data.augmentation.scripts import is_unspaced
from sluice.errors import RecipeError

_SEPARATOR = re.compile(r"[,\t，]")
_WORDS = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Found:
    """A term in a text, and the number of its group."""

    start: int
    end: int
    group: int


@dataclass(frozen=True)
class Dictionary:
    """Terms in groups of at least two. A term belongs to the first group that lists it."""

    groups: tuple[tuple[str, ...], ...]
    group_of: dict[str, int]  # by the term in lower case
    lengths: dict[str, tuple[int, ...]]  # of the terms that start with a character, longest first

    def find(self, text: str) -> list[Found]:
        """The terms of a text from left to right, the longest at each place, without overlaps.

        In scripts with spaces a term is found as whole words only.
        """
        lower, found, start = lower_same_length(text), list[Found](), 0
        while start < len(lower):
            term = self._longest(lower, start)
            if term is not None:
                found.append(term)
            start = start + 1 if term is None else term.end
        return found

    def others(self, term: str, group: int) -> tuple[str, ...]:
        """The other terms of a group."""
        lower = lower_same_length(term)
        return tuple(t for t in self.groups[group] if lower_same_length(t) != lower)

    def _longest(self, lower: str, start: int) -> Found | None:
        for length in self.lengths.get(lower[start], ()):
            end = start + length
            group = self.group_of.get(lower[start:end])
            if group is not None and _stands_alone(lower, start, end):
                return Found(start, end, group)
        return None


def read_dictionary(files: Sequence[Path]) -> Dictionary:
    """Read files of groups.

    Raises:
        RecipeError: a file cannot be read, a line has a single term, or there is no group at all.
    """
    groups = [group for path in files for group in _read_groups(path)]
    if not groups:
        names = ", ".join(str(path) for path in files)
        raise RecipeError(f"{names}: no group of terms. Write two or more on a line, with commas.")
    return dictionary_of(groups)


def dictionary_of(groups: Sequence[Sequence[str]]) -> Dictionary:
    """A dictionary of these groups."""
    group_of: dict[str, int] = {}
    lengths: defaultdict[str, set[int]] = defaultdict(set)
    for number, group in enumerate(groups):
        for term in group:
            lower = lower_same_length(term)
            group_of.setdefault(lower, number)
            lengths[lower[0]].add(len(lower))
    ordered = {first: tuple(sorted(sizes, reverse=True)) for first, sizes in lengths.items()}
    return Dictionary(tuple(tuple(group) for group in groups), group_of, ordered)


def lower_same_length(text: str) -> str:
    """Lower case, but characters whose lower case is longer (İ) stay: places in both are equal."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def in_case_of(model: str, word: str) -> str:
    """A word in capitals, or with a capital, where the word that it stands for was."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    if model[:1].isupper() and model[1:] == model[1:].lower():
        return word[:1].upper() + word[1:]
    return word


def replaced(text: str, changes: Sequence[tuple[Found, str]]) -> str:
    """The text with terms replaced, each in the case of the one that it stands for."""
    parts, done = list[str](), 0
    for found, word in changes:
        parts += [text[done : found.start], in_case_of(text[found.start : found.end], word)]
        done = found.end
    return "".join([*parts, text[done:]])


def _read_groups(path: Path) -> list[tuple[str, ...]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as a UTF-8 dictionary: {error}") from error
    groups: list[tuple[str, ...]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        terms = tuple(dict.fromkeys(t for part in _SEPARATOR.split(line) if (t := part.strip())))
        if len(terms) < 2:
            raise RecipeError(f"{path}:{number}: a group needs two terms or more, with commas.")
        groups.append(terms)
    return groups


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether neither edge of a term cuts a word of a spaced script in two."""
    return not (_one_word(text, start) or _one_word(text, end))


def _one_word(text: str, place: int) -> bool:
    if place in (0, len(text)):
        return False
    pair = text[place - 1 : place + 1]
    return all(_WORDS.match(c) and not is_unspaced(c) for c in pair)
