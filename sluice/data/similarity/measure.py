"""How alike two texts are: Jaccard similarity of token bigrams, in any script.

Tokens are words where a script puts spaces between them, and characters where more than 30 % of
the text is in a script that does not (Chinese, Japanese, Thai, Lao, Burmese, Khmer). The data
cards of the shipped examples state this measure.
"""

from __future__ import annotations

import re
import unicodedata

UNSPACED_SHARE = 0.3  # a Chinese sentence with product names in Latin letters stays above it

Shingle = tuple[str, ...]

_WORD = re.compile(r"\w+")
UNSPACED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f"  # Burmese
    "\u1780-\u17ff"  # Khmer
    "\u3040-\u30ff"  # hiragana, katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"  # Chinese characters
    "]"
)


def folded(text: str) -> str:
    """The text without differences of case, composition and spacing: equal means the same text."""
    return " ".join(unicodedata.normalize("NFC", text).casefold().split())


def tokens_of(text: str) -> list[str]:
    """Casefolded tokens: characters if the text is mostly unspaced script, words otherwise.

    Punctuation is no token, so a text of punctuation alone has none.
    """
    text = unicodedata.normalize("NFC", text).casefold()
    if len(UNSPACED.findall(text)) > UNSPACED_SHARE * len(text):
        return [c for c in text if is_character(c)]
    return _WORD.findall(text)


def is_character(character: str) -> bool:
    """True for what is a token of its own in unspaced scripts: letters, digits, vowel signs."""
    return character.isalnum() or unicodedata.category(character) in ("Mn", "Mc")


def shingles(text: str, n: int = 2) -> frozenset[Shingle]:
    """All runs of `n` tokens. A text with fewer is one shingle; one without tokens has none."""
    tokens = tokens_of(text)
    if not tokens:
        return frozenset()
    return frozenset(tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1)))


def jaccard(a: frozenset[Shingle], b: frozenset[Shingle]) -> float:
    """Shared shingles as a share of all, 0 to 1; 0 where both are empty (nothing was compared)."""
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared) if shared else 0.0
