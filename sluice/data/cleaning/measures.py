"""Measures of repetition and symbols (Rae et al. 2021, "Gopher", table A1 and section A1.1).

This is their definition. `measures_kernel` computes the same numbers some hundred times as fast,
which pays once there are enough texts.

Words are cut at white space. In scripts that put no spaces between words, which half of a text's
characters or more decide, each character stands for half a word: a Chinese word has 1.5 to 2 of
them. So a phrase of 2 words is one of 4 characters there.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from sluice.data.cleaning.letters import is_bullet, is_letter, is_unspaced

NAMES = (
    "words",
    "duplicate_lines",
    "duplicate_line_chars",
    "duplicate_paragraphs",
    "duplicate_paragraph_chars",
    "top_phrase_2",
    "top_phrase_3",
    "top_phrase_4",
    "passages_5",
    "passages_6",
    "passages_7",
    "passages_8",
    "passages_9",
    "passages_10",
    "hashes",
    "ellipses",
    "bullet_lines",
    "ellipsis_lines",
    "letter_share",
    "word_length",
)
COLUMN = {name: i for i, name in enumerate(NAMES)}
TOP_PHRASES = (2, 3, 4)
PASSAGES = (5, 6, 7, 8, 9, 10)
CHARACTERS_PER_WORD = 2  # in scripts without spaces

# Numba takes a quarter of a second to import, and as long again to load the kernel, or 5 seconds
# to compile it once (measured); the definition below takes 0.6 ms for 1 kB, 1.2 for Chinese.
KERNEL_PAYS_FROM = 1000
_KERNEL = "sluice.data.cleaning.measures_kernel"

_DIGITS = "0123456789"
_SPACES = " \t\n\r\x0b\x0c"  # those of ASCII: repairs leave no others
_LINES = re.compile("\n+")
_PARAGRAPHS = re.compile("\n{2,}")
_ELLIPSIS = re.compile(r"\.{3,}|…+")


def measured(texts: Any, chosen: Any, least_words: int) -> Any:
    """The measures of chosen texts of an Arrow string array, one line per text.

    Lines are NaN for texts of fewer than `least_words` words.
    """
    if len(chosen) >= KERNEL_PAYS_FROM or _KERNEL in sys.modules:  # once paid for, it is free
        from sluice.data.cleaning.measures_kernel import measured_at_once

        return measured_at_once(texts, chosen, least_words)
    lines = [measures_of(texts[i].as_py(), least_words) for i in chosen.tolist()]
    return np.array(lines, dtype=np.float64).reshape(len(lines), len(NAMES))


def measures_of(text: str, least_words: int) -> list[float]:
    """The measures of one text, in the order of `NAMES`."""
    characters = [c for c in text if c not in _SPACES]
    codes = list(map(ord, characters))
    unspaced = 2 * sum(map(is_unspaced, codes)) >= len(codes) > 0
    units = characters if unspaced else text.translate(_AS_SPACE).split(" ")
    units = [unit for unit in units if unit]
    scale = CHARACTERS_PER_WORD if unspaced else 1
    words = len(units) / scale
    if words < max(1, least_words):
        return [float("nan")] * len(NAMES)
    letters = [any(is_letter(ord(c)) for c in unit) for unit in units]
    # Phrases are made of what says something: the bars of a table repeat by nature.
    said = [u for u, has in zip(units, letters, strict=True) if has or any(c in _DIGITS for c in u)]
    return [
        words,
        *_repeated([line.strip(_SPACES) for line in _LINES.split(text)]),
        *_repeated([part.strip(_SPACES) for part in _PARAGRAPHS.split(text)]),
        *(_top_phrase(said, n * scale) for n in TOP_PHRASES),
        *(_repeated_passages(said, n * scale) for n in PASSAGES),
        text.count("#") / words,
        len(_ELLIPSIS.findall(text)) / words,
        *_line_edges([line.strip(_SPACES) for line in _LINES.split(text)]),
        sum(letters) / (len(units) if unspaced else max(1, len(said))),
        float("nan") if unspaced else sum(map(len, said)) / max(1, len(said)),
    ]


_AS_SPACE = {ord(c): " " for c in _SPACES}


def _says_something(line: str) -> bool:
    # Not `}`, `---` or `|`: code and tables repeat those by nature.
    return any(ord(c) >= 0x80 or c.isalnum() for c in line)


def _repeated(pieces: Sequence[str]) -> tuple[float, float]:
    """The share of pieces that repeat an earlier one, and that of characters in such pieces."""
    seen: set[str] = set()
    repeats = repeated_chars = 0
    said = [piece for piece in pieces if _says_something(piece)]
    for piece in said:
        if piece in seen:
            repeats += 1
            repeated_chars += len(piece)
        seen.add(piece)
    return repeats / max(1, len(said)), repeated_chars / max(1, sum(map(len, said)))


def _top_phrase(units: Sequence[str], n: int) -> float:
    """The share of characters in the most frequent phrase of `n` units, if it comes twice.

    Of phrases that are as frequent the longest counts.
    """
    phrases = [tuple(units[i : i + n]) for i in range(len(units) - n + 1)]
    tops = [(count, sum(map(len, phrase))) for phrase, count in Counter(phrases).items()]
    count, chars = max(tops, default=(0, 0))
    return min(1.0, count * chars / sum(map(len, units))) if count > 1 else 0.0


def _repeated_passages(units: Sequence[str], n: int) -> float:
    """The share of characters in passages of `n` units that were seen before, none counted twice.

    Gopher counts each passage once as well; how is as in datatrove's GopherRepetitionFilter.
    """
    seen: set[tuple[str, ...]] = set()
    repeated = i = 0
    while i + n <= len(units):
        passage = tuple(units[i : i + n])
        if passage in seen:
            repeated += sum(map(len, passage))
            i += n
        else:
            seen.add(passage)
            i += 1
    return repeated / max(1, sum(map(len, units)))


def _line_edges(lines: Sequence[str]) -> tuple[float, float]:
    """The share of lines that begin with a bullet, and of those that end with an ellipsis."""
    said = [line for line in lines if _says_something(line)]
    bullets = sum(is_bullet(ord(line[0])) for line in said)
    trailing = sum(line.endswith(("...", "…")) for line in said)
    return bullets / max(1, len(said)), trailing / max(1, len(said))
