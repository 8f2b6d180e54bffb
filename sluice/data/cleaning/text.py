"""The repairs of a text, in order, repeated until nothing changes."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from sluice.data.cleaning.characters import (
    tidy_whitespace,
    without_control,
    without_zero_width,
)
from sluice.data.cleaning.html import without_html
from sluice.recipe import CleaningSection

# One pass is not enough where a repair uncovers work for another: text that was escaped twice,
# a tag with a zero-width space inside. Real text settles in two; the bound is for hostile text.
MAX_PASSES = 10


@dataclass(frozen=True, slots=True)
class Repaired:
    """A text after its repairs. `repairs` names those that changed something."""

    text: str
    repairs: frozenset[str]


def repair_text(text: str, section: CleaningSection) -> Repaired:
    """Repair a text; repairing the result again changes nothing."""
    repairs = _repairs(section)
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


def _repairs(section: CleaningSection) -> list[tuple[str, Callable[[str], str]]]:
    form = section.unicode_form
    repairs: list[tuple[str, Callable[[str], str]]] = []
    if form != "none":
        repairs.append(("unicode", lambda text: unicodedata.normalize(form, text)))
    repairs += [("control_characters", without_control), ("zero_width", without_zero_width)]
    if section.strip_html:
        repairs.append(("html", without_html))
    return [*repairs, ("whitespace", tidy_whitespace)]
