"""Rows that say the same thing twice, and rows that contradict each other."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.recipe.section import Section


class DuplicatesSection(Section):
    """Which of several like rows is kept. The order of rows is that of sources, then of lines."""

    exact: bool = Field(
        default=True,
        description="Keep one of rows whose whole conversation is the same text, apart from case "
        "and spacing.",
    )
    near: bool = Field(
        default=True,
        description="Drop a row that is nearly the same as one that is kept before it, question "
        "and answer: the same numbers, signs and negations, and no word for another.",
    )
    similarity: float = Field(
        default=0.8,
        gt=0.0,
        le=1.0,
        description="Jaccard similarity of shingles (word pairs, or character pairs in scripts "
        "without spaces) from which two rows are nearly the same.",
    )
    exchanged_words: int = Field(
        default=0,
        ge=0,
        description="Words of a text of more than 8 words that may stand for other words of a near "
        "duplicate. 0: another word is another fact (a name, a colour), so the row stays. 3 is "
        "nearer to what deduplication by similarity alone does. Without spaces: characters.",
    )
    keep: Literal["first", "last", "longest"] = Field(
        default="first",
        description="Which of like rows stays: the first or the last in the order of rows, or "
        "the one with the longest answer (in bytes; the first of equally long ones).",
    )
    conflicts: Literal["quarantine", "strict", "keep"] = Field(
        default="quarantine",
        description="What happens to the rows of a question whose answers contradict each other "
        "(other numbers, yes and no, other short answers): they wait for a person, or stay. "
        "strict: also where two answers differ in any other way, as in rewordings.",
    )
