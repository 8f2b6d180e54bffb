"""Forms that list the turns of a conversation."""

from __future__ import annotations

from typing import cast

from sluice.data.forms.misfit import Fields, MisfitError, optional_text, required
from sluice.data.forms.pairs import Messages, system_message
from sluice.data.forms.turns import conversation, turns_of
from sluice.data.record import Message, Role


def openai_messages(fields: Fields) -> Messages:
    """OpenAI's `messages`."""
    turns: object = required(fields, "messages")
    messages = conversation(turns_of(turns, "messages"))
    if isinstance(turns, list) and cast("list[Fields]", turns)[-1].get("weight") == 0:
        raise MisfitError("no_answer", "the last message has a weight of 0")
    return messages


def sharegpt(fields: Fields) -> Messages:
    """ShareGPT's `conversations`; a `system` beside them counts where they begin without one."""
    turns = turns_of(required(fields, "conversations"), "conversations")
    if turns and turns[0].role != "system":
        turns = [*system_message(optional_text(fields, "system")), *turns]
    return conversation(turns)


def prompt_completion(fields: Fields) -> Messages:
    """`prompt` and `completion`, each a text or a list of messages."""
    turns = _side(fields, "prompt", "user") + _side(fields, "completion", "assistant")
    return conversation(turns)


def _side(fields: Fields, name: str, role: Role) -> list[Message]:
    value = required(fields, name)
    if isinstance(value, str):
        # OpenAI's older data sets leave the prompt empty where there is only text to learn.
        return [Message(role, value)] if value or role == "assistant" else []
    return turns_of(value, name)
