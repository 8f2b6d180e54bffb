"""Synonym replacement: known words of the question, by others of their group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.data.augmentation.dictionary import Dictionary, Found, replaced
from sluice.data.augmentation.draws import Draws
from sluice.data.augmentation.protected import protected_places
from sluice.data.augmentation.variant import Missed, Variant, with_question
from sluice.data.record import Record


@dataclass(frozen=True)
class Synonyms:
    """The method `synonyms`. The answer is not touched: it is what the model learns to say."""

    dictionary: Dictionary
    rate: float
    protect: tuple[str, ...]
    name: str = "synonyms"

    def variants(self, records: Sequence[Record], draws: Sequence[Draws]) -> list[Variant]:
        """One variant of each row."""
        return [self._variant(r, d) for r, d in zip(records, draws, strict=True)]

    def _variant(self, record: Record, draws: Draws) -> Variant:
        known = self._known(record.question)
        if not known:
            return Missed("no_known_word")
        chosen = [term for term in known if draws.chance(self.rate)] or [draws.pick(known)]
        text = record.question
        changes = [
            (found, draws.pick(self.dictionary.others(text[found.start : found.end], found.group)))
            for found in chosen
        ]
        return with_question(record, replaced(text, changes))

    def _known(self, text: str) -> list[Found]:
        kept = protected_places(text, self.protect)
        return [
            found
            for found in self.dictionary.find(text)
            if kept.isdisjoint(range(found.start, found.end))
        ]
