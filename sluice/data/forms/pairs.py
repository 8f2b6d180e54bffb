"""Forms that hold a question and an answer in fields of their own, and plain text."""

from __future__ import annotations

from typing import cast

from sluice.data.forms.misfit import (
    Fields,
    MisfitError,
    is_missing,
    optional_text,
    required,
    required_text,
    wrong_type,
)
from sluice.data.forms.plain import scalar_text
from sluice.data.record import Message, Tags

Messages = tuple[Message, ...]
LABEL = "label"


def alpaca(fields: Fields) -> Messages:
    """Alpaca's `instruction`, `input`, `output`, with LLaMA-Factory's `system` and `history`."""
    question, answer = fields.get("instruction"), fields.get("output")
    if not (isinstance(question, str) and isinstance(answer, str)):
        question, answer = _both_texts(fields, "instruction", "output")
    context = fields.get("input")
    if context is not None and context != "" and optional_text(fields, "input").strip():
        question = f"{question}\n{context}"
    pair = (Message("user", question), Message("assistant", answer))
    if "history" in fields or "system" in fields:
        return (*_system(fields), *_history(fields.get("history")), *pair)
    return pair


def input_output(fields: Fields) -> Messages:
    """Sequence to sequence: `input` and `output`."""
    question, answer = _both_texts(fields, "input", "output")
    return (Message("user", question), Message("assistant", answer))


def input_label(fields: Fields) -> Messages:
    """Classification as generation: `input` (or `text`), and a `label` that is the answer."""
    name = "text" if is_missing(fields.get("input")) and "text" in fields else "input"
    question = below(optional_text(fields, "instruction"), required_text(fields, name))
    return (Message("user", question), Message("assistant", label_of(fields)))


def label_tags(fields: Fields) -> Tags:
    """The label as a tag, by which a classifier is scored."""
    label = label_of(fields)
    return ((LABEL, label),) if label.strip() else ()


def label_of(fields: Fields) -> str:
    """The label as text. 3.0 is the label 3: tables that lack a value anywhere write it so."""
    value = required(fields, LABEL)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return scalar_text(value, LABEL)


def plain_text(fields: Fields) -> Messages:
    """Plain text: the model learns all of `text` as what it says when nothing is asked."""
    return (Message("assistant", required_text(fields, "text")),)


def below(question: str, context: str) -> str:
    """What a question is about, below it; one of the two where the other is blank."""
    if not context.strip():
        return question
    return f"{question}\n{context}" if question.strip() else context


def system_message(text: str) -> Messages:
    """A system message, unless it would be blank."""
    return (Message("system", text),) if text.strip() else ()


def _both_texts(fields: Fields, first: str, second: str) -> tuple[str, str]:
    required(fields, first)
    required(fields, second)  # that a field is missing is said before that another is no text
    return required_text(fields, first), required_text(fields, second)


def _system(fields: Fields) -> Messages:
    return system_message(optional_text(fields, "system"))


def _history(history: object) -> list[Message]:
    if is_missing(history):
        return []
    if not isinstance(history, list):
        raise wrong_type(history, "history", "a list")
    return [message for turn in cast("list[object]", history) for message in _exchange(turn)]


def _exchange(turn: object) -> Messages:
    if isinstance(turn, (list, tuple)):
        match list(cast("list[object]", turn)):
            case [str(question), str(answer)]:
                return (Message("user", question), Message("assistant", answer))
            case _:
                pass
    raise MisfitError("wrong_type", "history has a turn that is no pair of texts")
