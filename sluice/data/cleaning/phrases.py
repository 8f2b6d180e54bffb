"""Answers in which another model speaks about itself, or does not answer.

Rows that were made with a public chat model carry its voice: who it is, who made it, when its
knowledge ends. None of it is true of the model that learns from them. Such phrases are taken out of
training data by open-instruct (`filter_dataset_by_keywords.py`, `filter_cutoff_date.py`) and
by the unfiltered editions of ShareGPT; unlike those, only phrases that name the speaker count here,
as a list of mere topics ("illegal", "ethics") drops good answers.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.cleaning.rows import Rows
from sluice.data.cleaning.settings import CleanSettings

pc: Any = pyarrow.compute  # not typed

# RE2, which Arrow matches with in time linear in the text.
_BOILERPLATE = (
    r"\bas an? (?:large |advanced |text-based |ai |artificial |virtual )*"
    r"(?:language model|intelligence|ai\b(?: assistant| model)?[, ])",
    r"\bI(?: a|['’])m (?:just|only) an? (?:large )?ai\b",
    r"\bI(?: a|['’])m (?:just |only )?an? (?:large |ai )*language model",
    r"\bmy (?:knowledge|training data) cut-?off|my (?:last|latest) (?:knowledge |training )?update",
    r"\b(?:trained|created|developed|made) by (?:OpenAI|Anthropic|DeepSeek|Google DeepMind)\b",
    r"\bI(?: a|['’])m (?:ChatGPT|Claude|DeepSeek|Gemini|Qwen|Llama)\b",
    r"(?:作为|身为)(?:一[个名款种]|由[^，。]{1,20}的)?(?:大型|先进的?)?(?:人工智能|AI|语言模型|大模型)",
    r"我(?:只|仅仅)是(?:一[个名款种])?(?:人工智能|AI)|我(?:只|仅仅)?是(?:一[个名款种])?(?:由[^，。]{1,20}的)?"
    r"(?:大型|AI|人工智能)*(?:语言模型|大模型)",
    r"我的(?:知识|训练数据)(?:库)?(?:截止|更新)(?:到|至|于|日期)",
)
# At the start of the answer: later on it is advice ("if you are unable to ...").
_REFUSAL = (
    r"(?:I['’]m (?:very |so )?sorry|I am sorry|Sorry|I apologi[sz]e)[^.!?]{0,40}"
    r"\b(?:can['’]?t|can ?not|unable to|not able to)\b",
    r"I(?: can['’]?t| can ?not|['’]m unable to| am unable to|['’]m not able to) "
    r"(?:help|assist|answer|fulfil|comply|provide|do that)",
    r"(?:很|非常|十分)?(?:抱歉|对不起|遗憾)[，,！!。\s]*(?:但)?(?:我|本人|目前)?[^。！？]{0,12}(?:无法|不能|没办法)",
    r"我(?:无法|不能)(?:回答|提供|协助|帮助|满足)",
)


def boilerplate(rows: Rows, settings: CleanSettings) -> dict[int, str]:
    """The answer says that an AI or another model speaks, or holds a phrase of `boilerplate`."""
    return _matching(rows, _pattern(_BOILERPLATE, settings.cleaning.boilerplate))


def refusal(rows: Rows, _: CleanSettings) -> dict[int, str]:
    """The answer begins by refusing one.

    Off by default: "sorry, we cannot ship to islands" is what a shop's model should learn to say.
    25 of the 392 rows in `examples/customer_service` begin so, and all of them are right.
    """
    return _matching(rows, rf"(?i)^\W{{0,3}}(?:{'|'.join(_REFUSAL)})")


@lru_cache(maxsize=4)
def _pattern(built_in: tuple[str, ...], phrases: tuple[str, ...]) -> str:
    return f"(?i){'|'.join([*built_in, *map(re.escape, phrases)])}"


def _matching(rows: Rows, pattern: str) -> dict[int, str]:
    found = pc.match_substring_regex(rows.answer_array, pattern)
    return dict.fromkeys(np.flatnonzero(found.to_numpy(zero_copy_only=False)).tolist(), "")
