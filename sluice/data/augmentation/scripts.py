"""What a text is written in, as far as augmentation needs to know."""

from __future__ import annotations

import re

from sluice.data.similarity.measure import UNSPACED, UNSPACED_SHARE

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")


def is_unspaced(character: str) -> bool:
    """Whether words of the character's script are written without spaces."""
    return UNSPACED.match(character) is not None


def is_mostly_unspaced(text: str) -> bool:
    """Whether a text is written without spaces, apart from names."""
    return len(UNSPACED.findall(text)) > UNSPACED_SHARE * len(text)


def is_mostly_chinese(text: str) -> bool:
    """Whether a text is in Chinese characters, apart from names."""
    return len(_HAN.findall(text)) > UNSPACED_SHARE * len(text)
