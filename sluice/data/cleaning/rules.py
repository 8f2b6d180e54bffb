"""Rules that drop a row. Each is a pure function that is true where the row breaks the rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice.data.cleaning.characters import visible_characters
from sluice.data.record import Record
from sluice.recipe import CleaningSection

CountTokens = Callable[[Record], int]
Rule = Callable[[Record, CleaningSection, CountTokens], bool]


@dataclass(frozen=True, slots=True)
class Dropped:
    """A row that left the path. `record` is the row as it came, before repairs.

    `reason` is a stable code. `detail` names the row that it repeats, if that is the reason.
    """

    record: Record
    reason: str
    detail: str = ""


def question_too_short(record: Record, section: CleaningSection, _: CountTokens) -> bool:
    """Fewer visible characters than `min_question_chars`; an empty question always is."""
    return visible_characters(record.question) < max(1, section.min_question_chars)


def answer_empty(record: Record, _section: CleaningSection, _: CountTokens) -> bool:
    """No visible character in the answer."""
    return visible_characters(record.answer) == 0


def answer_too_short(record: Record, section: CleaningSection, _: CountTokens) -> bool:
    """Fewer characters than `min_answer_chars`. Characters, so a Chinese answer may say more."""
    return len(record.answer) < section.min_answer_chars


def too_many_characters(record: Record, section: CleaningSection, _: CountTokens) -> bool:
    """More characters in all messages together than `max_chars`."""
    return sum(len(message.content) for message in record.messages) > section.max_chars


def too_many_tokens(record: Record, section: CleaningSection, count: CountTokens) -> bool:
    """More tokens than `max_tokens`: the trainer would cut the answer off."""
    return count(record) > section.max_tokens


# In order; the first broken rule is the reason. Characters come before tokens: counting the
# tokens of a book takes seconds, counting its characters does not.
RULES: tuple[tuple[str, Rule], ...] = (
    ("question_too_short", question_too_short),
    ("answer_empty", answer_empty),
    ("answer_too_short", answer_too_short),
    ("too_many_characters", too_many_characters),
    ("too_many_tokens", too_many_tokens),
)


def broken_rule(record: Record, section: CleaningSection, count: CountTokens) -> str | None:
    """The reason code of the first rule that a row breaks, or None."""
    return next((reason for reason, breaks in RULES if breaks(record, section, count)), None)
