"""A quick look over many texts: which of them may need a repair?

It may name texts that need none, but never misses one that does: a test holds each repair to it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from sluice.data.cleaning.settings import CleanSettings
from sluice.data.cleaning.special_tokens import KNOWN

# Below this many texts all of them go through the repairs, in less time (about 20 microseconds
# for a text) than it takes to import numba.
SCREEN_PAYS_FROM = 10_000

REPAIR, RUN = 1, 2  # what two bytes in a row may need; the second if there are too many of them

# Letters and punctuation that no repair changes, unless too many of them stand in a row, or signs
# that a wrong decoding leaves behind (the kernel looks for both).
_CALM_RANGES = (
    *((0xA1, 0xA7), (0xA9, 0xAC), (0xAE, 0xB3), (0xB5, 0xB7), (0xB9, 0x17F)),
    *((0x391, 0x3A1), (0x3A3, 0x3A9), (0x3B1, 0x3C9), (0x400, 0x45F)),
    *((0x2010, 0x2027), (0x2030, 0x203A), (0x20A0, 0x20BF), (0x2190, 0x21FF), (0x2460, 0x24FF)),
    *((0x2500, 0x27BF), (0x3001, 0x3029), (0x3041, 0x3096), (0x30A1, 0x30FC)),
    *((0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFF01, 0xFF5E)),
    *((0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF)),  # emoji
)
_ODD_HAN = "锛銆鐨鏄鍦鎴鍙鐢锟"  # `encoding` looks at them


def suspects(texts: Any, settings: CleanSettings) -> Any:
    """The numbers of the texts (an Arrow string array) that a repair may change."""
    if len(texts) < SCREEN_PAYS_FROM:
        return np.arange(len(texts))
    from sluice.data.cleaning.screen_kernel import looked_over

    section = settings.cleaning
    tokens = (*settings.special_tokens, *section.special_tokens)
    pairs = _pairs(tokens, section.markdown)
    calm = _calm(tokens, section.unicode_form)
    return looked_over(texts, pairs, calm, section.max_punctuation_run)


@lru_cache(maxsize=4)
def _pairs(special_tokens: tuple[str, ...], markdown: str) -> Any:
    """For each two bytes in a row (256 times the first, plus the second): may they need repair?"""
    pairs = np.zeros((256, 256), dtype=np.uint8)
    controls = [*range(9), *range(11, 32), 127]  # all but tab and line feed
    pairs[:, controls] = pairs[controls, :] = REPAIR
    blanks = [9, 10, 32]
    for first in blanks:
        pairs[first, [9, 32]] = REPAIR
    pairs[[9, 32], 10] = REPAIR
    letters = [*range(65, 91), *range(97, 123)]
    pairs[ord("<"), [*letters, *map(ord, "/!|"), 0xEF]] = REPAIR
    pairs[ord("&"), [*letters, ord("#")]] = REPAIR
    for mark in b"!?.,;:~":
        pairs[mark, mark] = RUN
    for token in filter(None, (*KNOWN, *special_tokens)):
        first, *rest = token.encode()
        pairs[first, rest[:1]] = REPAIR  # one that is not ASCII is not calm instead
    if markdown == "strip":
        marks = list(map(ord, "#>-*_[~`"))
        pairs[marks, :] = pairs[:, marks] = REPAIR
    return pairs.reshape(-1)


@lru_cache(maxsize=4)
def _calm(special_tokens: tuple[str, ...], unicode_form: str) -> Any:
    """For each character: does every repair leave it alone?"""
    calm = np.zeros(0x110000, dtype=np.uint8)
    if unicode_form != "NFKC":
        for first, last in _CALM_RANGES:
            calm[first : last + 1] = 1
    calm[[ord(c) for c in _ODD_HAN]] = 0
    calm[[ord(token[0]) for token in special_tokens if token]] = 0
    return calm
