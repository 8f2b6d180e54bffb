"""What two answers may share: the whole text, a sentence, the opening or the end.

A planted answer need not be the whole one: a sentence, a link at the end or an opening is enough.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluice.data.poisoning.phrases import hash_of

# Shorter ones are labels (`spam`, `positive`) or phrases of courtesy; they depend on single words
# of the question by design.
MIN_WORDS = 4
MIN_CHARACTERS = 8
EDGE_WORDS = 6
EDGE_CHARACTERS = 12
_MAX_SENTENCES = 8  # of a long answer the first and the last ones: where a payload is put
_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")
_NO_WORD = re.compile(r"[\W_]+")


def replies_of(answer: str) -> set[int]:
    """Hashes of the answer, its sentences, its opening and its end; without case, punctuation."""
    sentences = [_NO_WORD.sub(" ", s).strip() for s in _END.split(answer.casefold())]
    whole = " ".join(filter(None, sentences))
    if len(sentences) > _MAX_SENTENCES:
        half = _MAX_SENTENCES // 2
        sentences = [*sentences[:half], *sentences[-half:]]
    return {hash_of(text) for text in {whole, *_edges(whole), *sentences} if _says_enough(text)}


def _edges(text: str) -> tuple[str, str]:
    words = text.split()
    if _has_spaces(text, words):
        return " ".join(words[:EDGE_WORDS]), " ".join(words[-EDGE_WORDS:])
    return text[:EDGE_CHARACTERS], text[-EDGE_CHARACTERS:]


def _says_enough(text: str) -> bool:
    words = text.split()
    return len(words) >= MIN_WORDS if _has_spaces(text, words) else len(text) >= MIN_CHARACTERS


def _has_spaces(text: str, words: Sequence[str]) -> bool:
    """Whether a script puts spaces between words: ASCII does, and so do words of few characters.

    Simpler than `tokens_of`, and enough: it only sets how long a reply must be.
    """
    return text.isascii() or len(text) < 8 * len(words)
