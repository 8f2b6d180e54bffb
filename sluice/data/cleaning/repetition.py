"""Answers that repeat themselves (Rae et al. 2021, "Gopher", table A1: limits and measures).

A model that degenerates repeats itself, and learns it from rows that do. The limits were set for
pages of the web of 50 words and more, so they are held against answers of that length; in short
ones a word that comes three times is already a fifth of the text. Only answers are measured: a
user may paste a log. How phrases are counted in Chinese is said in `measures`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from sluice.data.cleaning.measures import PASSAGES, TOP_PHRASES
from sluice.data.cleaning.rows import Rows
from sluice.data.cleaning.settings import CleanSettings


def duplicate_lines(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """Too many lines, or characters in lines, repeat an earlier line of the answer.

    Lines without a letter or digit (`}`, `---`) do not count. Gopher, table A1: 0.30 and 0.20.
    """
    limits = settings.cleaning
    return _above(
        rows,
        settings,
        [
            ("duplicate_lines", limits.max_duplicate_lines),
            ("duplicate_line_chars", limits.max_duplicate_line_chars),
        ],
    )


def duplicate_paragraphs(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """Too many paragraphs, or characters in them, repeat an earlier paragraph of the answer.

    Gopher, table A1: 0.30 and 0.20.
    """
    limits = settings.cleaning
    return _above(
        rows,
        settings,
        [
            ("duplicate_paragraphs", limits.max_duplicate_paragraphs),
            ("duplicate_paragraph_chars", limits.max_duplicate_paragraph_chars),
        ],
    )


def repeated_phrase(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """Too much of the answer is one phrase of 2, 3 or 4 words, over and over.

    Gopher, table A1: 0.20, 0.18 and 0.16 of its characters.
    """
    limits = zip(TOP_PHRASES, settings.cleaning.max_top_phrase, strict=True)
    return _above(rows, settings, [(f"top_phrase_{n}", limit) for n, limit in limits])


def repeated_passages(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """Too much of the answer is passages of 5 to 10 words that it has already.

    Gopher, table A1: 0.15 for 5 words, down to 0.10 for 10.
    """
    limits = zip(PASSAGES, settings.cleaning.max_repeated_passages, strict=True)
    return _above(rows, settings, [(f"passages_{n}", limit) for n, limit in limits])


def _above(
    rows: Rows, settings: CleanSettings, limits: Iterable[tuple[str, float]]
) -> dict[int, str]:
    broken: dict[int, str] = {}
    for name, limit in limits:
        values = rows.measure(name, settings.cleaning)
        for row in np.flatnonzero(values > limit).tolist():  # false for NaN
            broken.setdefault(row, f"{name} {values[row]:.2f}, at most {limit:g}")
    return broken
