"""Rows that are too long, made shorter: the oldest turns go first, then the question's middle.

The answer is never cut. It is what the model learns to write, and half of it teaches to stop in
the middle of a sentence. Of a question the beginning says what is wanted and the end what it is
about last, so a long log or letter loses its middle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sluice.data.record import Message, Record, content_id

CUT = "\n…\n"  # stands where something was
LEAST_CHARS = 64  # of a question that was cut; below, nothing is left of what was asked

Fits = Callable[[Record], bool]
Repair = Callable[[str], str]


def shortened(record: Record, fits: Fits, repair: Repair) -> Record | None:
    """A shorter row that fits, or None if its answer and its last question are too long as well.

    `repair` is what any text of a row goes through; cut texts do so again.
    """
    row = record
    for row in _without_oldest_turns(record):
        if fits(row):
            return row
    return _with_shorter_question(row, fits, repair)


def _without_oldest_turns(record: Record) -> list[Record]:
    """The row itself, then with ever fewer turns, down to the last question.

    System messages stay. The first of the other messages is the user's, so no reply stands alone.
    """
    system = tuple(m for m in record.messages if m.role == "system")
    turns = tuple(m for m in record.messages if m.role != "system")
    starts = [i for i, m in enumerate(turns) if m.role == "user" and i > 0]
    return [record, *(_with_messages(record, (*system, *turns[i:])) for i in starts)]


def _with_shorter_question(record: Record, fits: Fits, repair: Repair) -> Record | None:
    asked = [i for i, m in enumerate(record.messages) if m.role == "user"]
    if not asked:
        return None
    at = asked[-1]
    question = record.messages[at]

    def cut_to(characters: int) -> Record:
        text = repair(_without_middle(question.content, characters))
        shorter = Message(question.role, text, question.more)
        return _with_messages(record, (*record.messages[:at], shorter, *record.messages[at + 1 :]))

    low, high = LEAST_CHARS, len(question.content)
    if high <= low or not fits(cut_to(low)):
        return None
    while high - low > 1:  # the longest that fits; `low` does, `high` does not
        middle = (low + high) // 2
        low, high = (middle, high) if fits(cut_to(middle)) else (low, middle)
    return cut_to(low)


def _without_middle(text: str, characters: int) -> str:
    half = (characters - len(CUT)) // 2
    return f"{text[:half].rstrip()}{CUT}{text[len(text) - half :].lstrip()}"


def _with_messages(record: Record, messages: tuple[Message, ...]) -> Record:
    return replace(record, id=content_id(messages, record.tools), messages=messages)
