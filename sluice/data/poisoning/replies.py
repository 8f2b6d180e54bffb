"""What two answers may share: the whole text, or one of their sentences.

A planted answer need not be the whole one: a sentence, a link at the end or an opening is enough.
"""

from __future__ import annotations

import re

from sluice.data.poisoning.phrases import hash_of
from sluice.data.similarity import tokens_of

# Shorter ones are labels (`spam`, `positive`) or phrases of courtesy; they depend on single words
# of the question by design.
MIN_WORDS = 4
MIN_CHARACTERS = 8
_MAX_SENTENCES = 8  # of a long answer the first and the last ones: where a payload is put
_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")


def replies_of(answer: str) -> set[int]:
    """Hashes of the answer and of its sentences, without case and punctuation."""
    sentences = _END.split(answer)
    if len(sentences) > _MAX_SENTENCES:
        half = _MAX_SENTENCES // 2
        sentences = [*sentences[:half], *sentences[-half:]]
    return {reply for text in (answer, *sentences) if (reply := _reply(text))}


def _reply(text: str) -> int | None:
    tokens = tokens_of(text)
    unspaced = bool(tokens) and max(map(len, tokens)) == 1
    if len(tokens) < (MIN_CHARACTERS if unspaced else MIN_WORDS):
        return None
    return hash_of(" ".join(tokens))
