"""In which language an answer is: told by its script where that is enough, else by lingua.

lingua works offline. In its low-accuracy mode (trigrams alone) it holds all its languages in 70 MB
and takes 0.3 ms for a text (measured; 200 MB and more for eight languages in the other mode). All
of them, because one that only knew English and Chinese would call Dutch English. It is asked about
texts of `min_language_letters` letters and more, and believed where it is sure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from sluice.data.cleaning.letters import is_letter
from sluice.data.cleaning.rows import Rows
from sluice.data.cleaning.settings import CleanSettings
from sluice.errors import DataError
from sluice.recipe import CleaningSection

_LOOKED_AT = 400  # characters; more of them make lingua slower, not surer
_GUESSED_FROM = 80

# Scripts that one language writes, or (Han) that one of few does.
_KANA = re.compile("[\u3041-\u30ff]+")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]+")
_SCRIPTS = (
    ("ja", _KANA),
    ("zh", _HAN),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7a3]+")),
    ("th", re.compile("[\u0e01-\u0e5b]+")),
    ("el", re.compile("[\u0370-\u03ff]+")),
    ("he", re.compile("[\u0590-\u05ff]+")),
    ("ka", re.compile("[\u10a0-\u10ff]+")),
    ("hy", re.compile("[\u0530-\u058f]+")),
)
_KANA_SHARE = 0.1  # Japanese has far more kana, Chinese quotes a word at most
# Words that English has and other languages in Latin letters do not.
_ENGLISH = re.compile(
    r"\b(?:the|and|you|your|this|with|are|that|from|what|how|please|our|yes|would|should)\b",
    re.IGNORECASE,
)


def other_language(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """The answer is in none of `languages`, as far as can be told; if not, the row passes."""
    wanted = settings.cleaning.languages
    if not wanted:
        return {}
    found = languages_of(rows, settings)
    return {row: code for row, code in enumerate(found) if code and code not in wanted}


def languages_of(rows: Rows, settings: CleanSettings) -> list[str | None]:
    """The language of each live row's answer, as its ISO 639-1 code; None where it is not told.

    Identified if the recipe filters by language. If not it is only guessed, by script and by the
    commonest English words: enough to see that a batch is in another language than the last.
    """
    section = settings.cleaning

    def tell() -> list[str | None]:
        identify = _identifier(section) if section.languages else None
        live: list[bool] = rows.live.tolist()
        return [
            None if not alive else identify(answer) if identify else guessed(answer, question)
            for alive, answer, question in zip(live, rows.answers, rows.questions, strict=True)
        ]

    return rows.remember("languages", tell)


def guessed(answer: str, question: str) -> str | None:
    """The language of a row, told by the letters at its start and a few English words."""
    start = answer[:_GUESSED_FROM] or question[:_GUESSED_FROM]
    if not start.isascii() and (script := by_script(start)):
        return script
    return "en" if _has_english_word(answer) or _has_english_word(question) else None


def by_script(text: str) -> str | None:
    """The language whose own script at least half of the letters are in."""
    if text.isascii():
        return None
    if 2 * _count(_HAN, text) >= len(text) and not _KANA.search(text):
        return "zh"  # nearly always, without a look at each letter
    letters = sum(is_letter(ord(c)) for c in text)
    if not letters:
        return None
    counts = {code: _count(script, text) for code, script in _SCRIPTS}
    if counts["ja"] > _KANA_SHARE * letters:
        counts["ja"] += counts["zh"]
    elif counts["ja"]:
        counts["zh"] += counts["ja"]
        counts["ja"] = 0
    code = max(counts, key=counts.__getitem__)
    return code if 2 * counts[code] >= letters else None


def _count(script: re.Pattern[str], text: str) -> int:
    return sum(map(len, script.findall(text)))


def _has_english_word(text: str) -> bool:
    start = text[:_LOOKED_AT]
    return " the " in start or " you " in start or _ENGLISH.search(start) is not None


def _is_plainly_english(text: str) -> bool:
    # Also keeps texts full of names, which lingua takes for any language, where they belong.
    return len({word.lower() for word in _ENGLISH.findall(text)}) > 1


def _identifier(section: CleaningSection) -> Any:
    detector, codes = _lingua()
    unknown = set(section.languages) - set(codes.values())
    if unknown:
        raise DataError(
            f"cleaning.languages: {', '.join(sorted(unknown))} cannot be identified. The codes "
            f"that can are {', '.join(sorted(set(codes.values())))}."
        )

    def identify(text: str) -> str | None:
        text = text[:_LOOKED_AT]
        script = by_script(text)
        if script is None and "en" in section.languages and _is_plainly_english(text):
            return "en"
        if script or sum(map(str.isalpha, text)) < section.min_language_letters:
            return script
        best: Any = detector.compute_language_confidence_values(text)[0]
        code = codes[best.language]
        return (
            code if code in section.languages or best.value >= section.language_confidence else None
        )

    return identify


@cache
def _lingua() -> tuple[Any, dict[Any, str]]:
    import lingua  # late: only the filter needs it

    detector = lingua.LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
    languages: Sequence[Any] = list(lingua.Language.all())
    return detector, {known: known.iso_code_639_1.name.lower() for known in languages}
