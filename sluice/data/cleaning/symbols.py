"""Answers that are made of signs rather than words (Rae et al. 2021, "Gopher", section A1.1).

Gopher's limits are for prose. Where they would drop good answers they are wider here, or off, and
the rule says why; Gopher's rule of English stop words is left out, as it knows one language only.
Answers of fewer than `min_measured_words` words pass.
"""

from __future__ import annotations

import numpy as np

from sluice.data.cleaning.rows import Rows
from sluice.data.cleaning.settings import CleanSettings


def hash_symbols(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """More `#` signs per word than `max_hashes`. Gopher: 0.1."""
    return _beyond(rows, settings, "hashes", above=settings.cleaning.max_hashes)


def ellipses(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """Too many ellipses per word, or lines that end with one: text that was cut.

    Gopher: 0.1 per word, and 0.3 of the lines.
    """
    limits = settings.cleaning
    return {
        **_beyond(rows, settings, "ellipsis_lines", above=limits.max_ellipsis_lines),
        **_beyond(rows, settings, "ellipses", above=limits.max_ellipses),
    }


def bullet_lines(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """A larger share of lines that begin with a bullet than `max_bullet_lines`.

    Gopher drops pages above 0.9. The answer to "what is in the set?" is a list, so this is off.
    """
    return _beyond(rows, settings, "bullet_lines", above=settings.cleaning.max_bullet_lines)


def few_letters(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """A smaller share of words, those of signs alone left out, hold a letter than asked for.

    Gopher asks for 0.8 of all words. A price list, a table of sizes or a sum has less, and answers
    a question: `min_letter_share` is 0.4. Of scripts without spaces it is a share of characters.
    """
    return _beyond(rows, settings, "letter_share", below=settings.cleaning.min_letter_share)


def word_length(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """A mean length of words outside `min_word_length` to `max_word_length`.

    Words of signs alone are left out. Gopher asks for 3 to 10, of English web pages; addresses and
    identifiers are longer, and a table of sizes (`3 m`, `5 kg`) has shorter ones, so 1.5 to 12.
    Scripts without spaces have no such length.
    """
    limits = settings.cleaning
    return {
        **_beyond(rows, settings, "word_length", above=limits.max_word_length),
        **_beyond(rows, settings, "word_length", below=limits.min_word_length),
    }


def _beyond(
    rows: Rows,
    settings: CleanSettings,
    name: str,
    *,
    above: float = float("inf"),
    below: float = float("-inf"),
) -> dict[int, str]:
    values = rows.measure(name, settings.cleaning)
    broken = np.flatnonzero((values > above) | (values < below)).tolist()  # false for NaN
    limit = f"at most {above:g}" if above < float("inf") else f"at least {below:g}"
    return {row: f"{name} {values[row]:.2f}, {limit}" for row in broken}
