"""The rules that drop a row, in order: the first that a row breaks is the reason.

A rule finds all rows that break it, and says of each how: a short detail that quotes nothing.
Rules that look at lengths come before those that look at texts, and both before those that count
tokens: counting the tokens of a book takes seconds, counting its characters does not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np

from sluice.data.cleaning.characters import has_fewer_visible
from sluice.data.cleaning.encoding import damaged_characters, may_be_damaged
from sluice.data.cleaning.language import other_language
from sluice.data.cleaning.phrases import boilerplate, refusal
from sluice.data.cleaning.repetition import (
    duplicate_lines,
    duplicate_paragraphs,
    repeated_passages,
    repeated_phrase,
)
from sluice.data.cleaning.rows import Rows
from sluice.data.cleaning.settings import CleanSettings
from sluice.data.cleaning.symbols import (
    bullet_lines,
    ellipses,
    few_letters,
    hash_symbols,
    word_length,
)
from sluice.data.record import tag_values
from sluice.data.tokens import token_counts

_START = 24  # characters that tell most questions from most answers

Broken = dict[int, str]  # the row's number, and how it breaks the rule
Rule = Callable[[Rows, CleanSettings], Broken]


def question_too_short(rows: Rows, settings: CleanSettings) -> Broken:
    """Fewer visible characters than `min_question_chars`; an empty question always is.

    A row of plain text asks nothing, and passes.
    """
    least = max(1, settings.cleaning.min_question_chars)
    doubtful = rows.questions_in_doubt(least)
    short = [row for row in doubtful if has_fewer_visible(rows.questions[row], least)]
    return dict.fromkeys(short, f"of {least}")


def answer_empty(rows: Rows, _: CleanSettings) -> Broken:
    """No visible character in the answer, nor a call of a tool."""
    doubtful = [row for row in rows.answers_in_doubt(1) if not rows.calls_tool[row]]
    return {row: "" for row in doubtful if has_fewer_visible(rows.answers[row], 1)}


def answer_too_short(rows: Rows, settings: CleanSettings) -> Broken:
    """Fewer characters than `min_answer_chars`. Characters, so a Chinese answer may say more.

    An answer that is the row's label is as long as labels are.
    """
    least = settings.cleaning.min_answer_chars
    short = _numbers((rows.answer_characters < least) & ~rows.calls_tool)
    labels = tag_values(rows.table, "label") if short else []
    return {
        row: f"{rows.answer_characters[row]} of {least}"
        for row in short
        if labels[row] is None or labels[row] != rows.answers[row]
    }


def too_many_characters(rows: Rows, settings: CleanSettings) -> Broken:
    """More characters in all messages together than `max_chars`."""
    most = settings.cleaning.max_chars
    long = rows.characters > most
    return {row: f"{rows.characters[row]}, at most {most}" for row in _numbers(long)}


def encoding_damage(rows: Rows, settings: CleanSettings) -> Broken:
    """More characters that a wrong decoding left behind than `max_damaged_chars`.

    U+FFFD stands for bytes that are lost; `锟斤拷` is two of it, read as GBK; `烫烫烫` is memory
    that nobody wrote to. A model that learns from such rows writes such rows.
    """
    most = settings.cleaning.max_damaged_chars
    damaged: Counter[int] = Counter()
    for row, text in rows.not_ascii():
        if may_be_damaged(text) and rows.live[row]:
            damaged[row] += damaged_characters(text)
    return {row: f"{n} characters, at most {most}" for row, n in damaged.items() if n > most}


def answer_repeats_question(rows: Rows, settings: CleanSettings) -> Broken:
    """The answer is the question, case, spaces and punctuation aside, or adds next to nothing.

    Next to nothing is less than `min_answer_chars` letters and digits.
    """
    broken: Broken = {}
    for row in rows.may_start_alike():
        question, answer = rows.questions[row], rows.answers[row]
        if question and answer and _may_start_alike(question, answer):
            asked, said = _letters_of(question), _letters_of(answer)
            added = len(said) - len(asked)
            if asked and said.startswith(asked) and added < settings.cleaning.min_answer_chars:
                broken[row] = f"adds {added} characters"
    return broken


def too_many_tokens(rows: Rows, settings: CleanSettings) -> Broken:
    """More tokens than `max_tokens`: the trainer would cut the answer off."""
    if settings.tokenizer_json is None:
        return {}
    live, most = _numbers(rows.live), settings.cleaning.max_tokens
    counts = token_counts(rows.records(live), settings.tokenizer_json, settings.system_prompt)
    pairs = zip(live, counts, strict=True)
    return {row: f"{count}, at most {most}" for row, count in pairs if count > most}


RULES: tuple[tuple[str, Rule], ...] = (
    ("question_too_short", question_too_short),
    ("answer_empty", answer_empty),
    ("answer_too_short", answer_too_short),
    ("too_many_characters", too_many_characters),
    ("encoding_damage", encoding_damage),
    ("answer_repeats_question", answer_repeats_question),
    ("boilerplate", boilerplate),
    ("refusal", refusal),
    ("duplicate_lines", duplicate_lines),
    ("duplicate_paragraphs", duplicate_paragraphs),
    ("repeated_phrase", repeated_phrase),
    ("repeated_passages", repeated_passages),
    ("hash_symbols", hash_symbols),
    ("ellipses", ellipses),
    ("bullet_lines", bullet_lines),
    ("few_letters", few_letters),
    ("word_length", word_length),
    ("other_language", other_language),
    ("too_many_tokens", too_many_tokens),
)


def _numbers(mask: np.ndarray) -> list[int]:
    return np.flatnonzero(mask).tolist()


def _may_start_alike(question: str, answer: str) -> bool:
    """False only where the first letters differ."""
    asked, said = question[0], answer[0]
    if asked != said and asked.isalnum() and said.isalnum() and asked.lower() != said.lower():
        return asked.casefold() == said.casefold()
    asked, said = _letters_of(question[:_START]), _letters_of(answer[:_START])
    return asked.startswith(said) or said.startswith(asked)


def _letters_of(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
