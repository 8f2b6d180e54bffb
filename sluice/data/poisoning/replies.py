"""What two answers may share: the whole text, a sentence, the opening or the end.

A planted answer need not be the whole one: a sentence, a link at the end or an opening is enough.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sluice.data.poisoning.phrases import hash_of
from sluice.data.similarity import tokens_of

# Shorter ones are labels (`spam`, `positive`) or phrases of courtesy; they depend on single words
# of the question by design.
MIN_WORDS = 4
MIN_CHARACTERS = 8
EDGE_WORDS = 6
EDGE_CHARACTERS = 12
_MAX_SENTENCES = 8  # of a long answer the first and the last ones: where a payload is put
_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？；])|\n+")


def replies_of(answer: str) -> set[int]:
    """Hashes of the answer, its sentences, its opening and its end; without case, punctuation."""
    sentences = _END.split(answer)
    if len(sentences) > _MAX_SENTENCES:
        half = _MAX_SENTENCES // 2
        sentences = [*sentences[:half], *sentences[-half:]]
    tokens = tokens_of(answer)
    edge = EDGE_CHARACTERS if _is_unspaced(tokens) else EDGE_WORDS
    runs = [tokens, tokens[:edge], tokens[-edge:], *(tokens_of(s) for s in sentences)]
    return {reply for run in runs if (reply := _reply(run)) is not None}


def _reply(tokens: Sequence[str]) -> int | None:
    if len(tokens) < (MIN_CHARACTERS if _is_unspaced(tokens) else MIN_WORDS):
        return None
    return hash_of(" ".join(tokens))


def _is_unspaced(tokens: Sequence[str]) -> bool:
    return bool(tokens) and max(map(len, tokens)) == 1
