"""Term substitution: one term of a list in the question is swapped for another of its group.

"I have a fever, a cough and a headache" is a list of three symptoms. What keeps the answer true:

- A group is a promise of whoever wrote the file: the answer does not depend on which of its terms
  is listed. A symptom that decides a diagnosis belongs in no group.
- Only lists are changed. A term that stands alone anywhere in the conversation ("a fever is a
  body temperature above 38 degrees") is something that is said about that very term, so the row
  is left out.
- A term of the answer's own list is swapped with that of the question, never one without the
  other, and in all turns.
- The new term occurs nowhere in the conversation yet: no list names it twice, and no sentence
  that spoke of it is changed in meaning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sluice.data.augmentation.dictionary import Dictionary, Found, lower_same_length, replaced
from sluice.data.augmentation.draws import Draws
from sluice.data.augmentation.protected import protected_places
from sluice.data.augmentation.variant import Missed, Variant
from sluice.data.record import Record

# What may stand between two terms of one list.
_BETWEEN = re.compile(
    r"(?:[\s,，、;；/+&*•\n-]|\d+[.)、]"
    r"|\b(?:and|or|with|plus|also|as well as|an?|the|my|his|her|some|mild|severe)\b"
    r"|和|与|與|及|以及|或|或者|还有|還有|并|並|伴|伴有|有|同时|同時)+",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Terms:
    """The method `terms`."""

    dictionary: Dictionary
    min_terms: int
    protect: tuple[str, ...]
    name: str = "terms"

    def variants(self, records: Sequence[Record], draws: Sequence[Draws]) -> list[Variant]:
        """One variant of each row."""
        return [self._variant(r, d) for r, d in zip(records, draws, strict=True)]

    def _variant(self, record: Record, draws: Draws) -> Variant:
        listed = self._listed(record.question)
        if not listed:
            return Missed("no_list")
        texts = [m.content for m in record.messages]
        found = [self.dictionary.find(text) for text in texts]
        alone = _used_alone(texts, found)
        candidates = [word for word in listed if word not in alone]
        if not candidates:
            return Missed("term_used_alone")
        old = draws.pick(candidates)
        group = self.dictionary.group_of[old]
        # By plain search too: a new term inside a longer word would be a mention as well.
        whole = "\n".join(lower_same_length(text) for text in texts)
        new = [t for t in self.dictionary.others(old, group) if lower_same_length(t) not in whole]
        if not new:
            return Missed("group_used_up")
        word = draws.pick(new)
        return tuple(
            replace(
                m,
                content=replaced(m.content, [(f, word) for f in fs if _term(m.content, f) == old]),
            )
            for m, fs in zip(record.messages, found, strict=True)
        )

    def _listed(self, question: str) -> list[str]:
        """The terms of long enough lists in the question, in order, each once, unprotected."""
        kept = protected_places(question, self.protect)
        terms = [
            _term(question, f)
            for run in _lists(question, self.dictionary.find(question))
            if len({_term(question, f) for f in run}) >= self.min_terms
            for f in run
            if kept.isdisjoint(range(f.start, f.end))
        ]
        return list(dict.fromkeys(terms))


def _used_alone(texts: list[str], found: list[list[Found]]) -> set[str]:
    """Terms that also stand outside of any list."""
    return {
        _term(text, f)
        for text, terms in zip(texts, found, strict=True)
        for f in set(terms).difference(*_lists(text, terms))
    }


def _lists(text: str, found: list[Found]) -> list[list[Found]]:
    """Runs of two or more different terms of a group with nothing but separators between them."""
    runs: list[list[Found]] = []
    for term in found:
        last = runs[-1][-1] if runs else None
        joined = (
            last is not None
            and last.group == term.group
            and _BETWEEN.fullmatch(text, last.end, term.start) is not None
        )
        if joined:
            runs[-1].append(term)
        else:
            runs.append([term])
    return [run for run in runs if len({_term(text, f) for f in run}) > 1]


def _term(text: str, found: Found) -> str:
    return lower_same_length(text[found.start : found.end])
