"""Parts of a text that no method may change: they carry facts, not wording.

Numbers and codes, addresses, placeholders (`{{Order Number}}`, `<EMAIL>`, `[PHONE]`), words of
negation, and the names that the recipe lists.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

# A slip in one of these turns the meaning round, and the answer with it: without its 不,
# 不能退货 ("cannot be returned") says 能退货 ("can be returned").
NEGATIONS_ZH = "不没無无非未勿莫否别別"
NUMERALS_ZH = "零〇一二两兩三四五六七八九十百千万萬亿億半"
NEGATIONS_EN = r"\b(?:no|not|nor|non|never|none|nothing|without|cannot|\w+n['’]t)\b"

_FACTS = (
    r"https?://\S+",
    r"[\w.+-]+@[\w-]+\.[\w.]+",
    r"\{\{[^{}]*\}\}|\{[^{}\s]*\}|<[A-Za-z_][^<>\s]*>|\[[A-Z][A-Z0-9_ -]*\]",
    r"[A-Za-z_.:/+-]*\d[A-Za-z0-9_.:/+-]*",  # ASCII on purpose: 订单12号 protects 12 alone
    r"\d",  # digits of other scripts
    f"[{NEGATIONS_ZH}{NUMERALS_ZH}]",
    NEGATIONS_EN,
)


def protected_spans(text: str, names: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of each protected part, in order, without overlaps."""
    return [match.span() for match in _pattern(tuple(names)).finditer(text)]


def protected_places(text: str, names: Sequence[str]) -> set[int]:
    """The indices of all protected characters."""
    return {i for start, end in protected_spans(text, names) for i in range(start, end)}


def protected_texts(text: str, names: Sequence[str]) -> list[str]:
    """The protected parts themselves, in order."""
    return [text[start:end] for start, end in protected_spans(text, names)]


def facts_of(text: str, names: Sequence[str]) -> list[str]:
    """Numbers, addresses, placeholders and listed names of a text, sorted: a rewording has the
    same. Negations and Chinese numerals are left out: another wording may well put a thing the
    other way round, or write 一个 without its numeral."""
    found = (match.group() for match in _facts(tuple(names)).finditer(text))
    return sorted(fact.casefold().strip(".:/+-") for fact in found)


@lru_cache(maxsize=8)
def _pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([*_escaped(names), *_FACTS]), re.IGNORECASE)


@lru_cache(maxsize=8)
def _facts(names: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join([*_escaped(names), *_FACTS[:5]]), re.IGNORECASE)


def _escaped(names: Sequence[str]) -> list[str]:
    return [re.escape(name) for name in sorted(names, key=len, reverse=True)]
