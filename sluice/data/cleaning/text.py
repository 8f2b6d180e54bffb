"""The repairs of a text, in order, repeated until nothing changes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from sluice.data.cleaning.characters import (
    shorten_runs,
    tidy_whitespace,
    without_control,
    without_zero_width,
)
from sluice.data.cleaning.encoding import mended
from sluice.data.cleaning.html import without_html
from sluice.data.cleaning.markdown import without_markdown
from sluice.data.cleaning.settings import CleanSettings
from sluice.data.cleaning.special_tokens import neutraliser
from sluice.recipe import CleaningSection

# One pass is not enough where a repair uncovers work for another: text that was escaped twice,
# a tag with a zero-width space inside. Real text settles in two; the bound is for hostile text.
MAX_PASSES = 10

Repair = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Repaired:
    """A text after its repairs. `repairs` names those that changed something."""

    text: str
    repairs: frozenset[str]


def repair_text(text: str, settings: CleanSettings) -> Repaired:
    """Repair a text; repairing the result again changes nothing."""
    repairs = repairs_of(settings.cleaning, settings.special_tokens)
    applied: set[str] = set()
    for _ in range(MAX_PASSES):
        before = text
        for name, repair in repairs:
            repaired = repair(text)
            if repaired != text:
                applied.add(name)
                text = repaired
        if text == before:
            break
    return Repaired(text, frozenset(applied))


def repairs_of(
    section: CleaningSection, special_tokens: tuple[str, ...]
) -> tuple[tuple[str, Repair], ...]:
    """The repairs that a recipe asks for, by name, in order.

    Encoding comes first: wrongly decoded text is full of control characters and odd spaces that
    later repairs would take away, and then nobody could tell any more what it was. Unicode's NFC
    only composes letters with their accents; NFKC would also turn `，` into `,` and `①` into `1`,
    and full-width punctuation is how Chinese is written.
    """
    form = section.unicode_form
    steps: dict[str, Repair | None] = {
        "encoding": mended,
        "unicode": None if form == "none" else _normaliser(form),
        "control_characters": without_control,
        "zero_width": without_zero_width,
        "html": without_html if section.strip_html else None,
        "markdown": without_markdown if section.markdown == "strip" else None,
        "punctuation_runs": partial(shorten_runs, longest=section.max_punctuation_run),
        "whitespace": tidy_whitespace,
        "special_tokens": neutraliser((*special_tokens, *section.special_tokens)),
    }
    return tuple(
        (name, step) for name, step in steps.items() if step is not None and section.on(name)
    )


@cache
def _normaliser(form: str) -> Repair:
    def normalise(text: str) -> str:
        if text.isascii() or unicodedata.is_normalized(form, text):  # type: ignore[arg-type]
            return text
        return unicodedata.normalize(form, text)  # type: ignore[arg-type]

    return normalise
