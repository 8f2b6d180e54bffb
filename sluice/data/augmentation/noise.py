"""Noise injection: slips of the keyboard in the question, in any script."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.data.augmentation.draws import Draws
from sluice.data.augmentation.lookalikes import alike
from sluice.data.augmentation.protected import protected_places, protected_texts
from sluice.data.augmentation.variant import Missed, Variant, with_question
from sluice.data.record import Record
from sluice.recipe.augmentation import NoiseKind

# A question of fewer letters may not be readable any more after a slip.
_MIN_LETTERS = 4


@dataclass(frozen=True)
class Noise:
    """The method `noise`. The answer stays clean: a model must not learn to mistype."""

    rate: float
    kinds: tuple[NoiseKind, ...]
    protect: tuple[str, ...]
    name: str = "noise"

    def variants(self, records: Sequence[Record], draws: Sequence[Draws]) -> list[Variant]:
        """One variant of each row."""
        return [self._variant(r, d) for r, d in zip(records, draws, strict=True)]

    def _variant(self, record: Record, draws: Draws) -> Variant:
        text = record.question
        letters = _letters(text, self.protect)
        if len(letters) < _MIN_LETTERS:
            return Missed("too_short")
        changed = self._mistyped(text, letters, draws)
        if changed == text:
            return Missed("unchanged")
        # 2天3夜 without its 天 would say 23, and "nod" without its d "no".
        if protected_texts(changed, self.protect) != protected_texts(text, self.protect):
            return Missed("facts_changed")
        return with_question(record, changed)

    def _mistyped(self, text: str, letters: list[int], draws: Draws) -> str:
        chosen = {i for i in letters if draws.chance(self.rate)} or {draws.pick(letters)}
        may = set(letters)
        characters = list(text)
        for i in sorted(chosen):
            following = i + 1 if i + 1 in may and i + 1 not in chosen else None
            _slip(characters, i, following, draws.pick(self.kinds), draws)
        return "".join(characters)


def _slip(
    characters: list[str], i: int, following: int | None, kind: NoiseKind, draws: Draws
) -> None:
    """Mistype the character at `i`. What cannot be done there becomes a doubled character."""
    others = alike(characters[i])
    if kind == "drop":
        characters[i] = ""
    elif kind == "swap" and following is not None:
        characters[i], characters[following] = characters[following], characters[i]
    elif kind == "replace" and others:
        characters[i] = draws.pick(others)
    else:
        characters[i] *= 2


def _letters(text: str, protect: Sequence[str]) -> list[int]:
    """Places of letters and Chinese characters that carry no mark and are not protected."""
    kept = protected_places(text, protect)
    return [
        i
        for i, character in enumerate(text)
        # A letter without the marks that follow it would leave them to its neighbour.
        if character.isalpha() and i not in kept and not _is_mark(text[i + 1 : i + 2])
    ]


def _is_mark(character: str) -> bool:
    return bool(character) and unicodedata.category(character).startswith("M")
