"""From the turns that a row lists to a conversation in an order that templates accept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sluice.data.forms.misfit import Fields, MisfitError, as_text, is_missing, wrong_type
from sluice.data.forms.plain import canonical_json, json_in_text
from sluice.data.forms.tool_calls import canonical_calls
from sluice.data.record import Message, Role

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",  # OpenAI's newer name
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "function_call": "assistant",  # ShareGPT: its value is the call
    "tool": "tool",
    "function": "tool",  # OpenAI's older name
    "observation": "tool",
}


def turns_of(value: object, what: str) -> list[Message]:
    """The messages of a list of turns, which tables may hold as JSON text.

    Raises:
        MisfitError: a turn is not one; see the codes in `message_of`.
    """
    if isinstance(value, str):
        value = json_in_text(value, what)
    if not isinstance(value, list):
        raise wrong_type(value, what, "a list")
    turns = cast("list[object]", value)
    return [message_of(turn, f"message {number}") for number, turn in enumerate(turns, 1)]


def message_of(turn: object, where: str) -> Message:
    """One turn, in OpenAI's keys (`role`, `content`) or ShareGPT's (`from`, `value`).

    Raises:
        MisfitError: `wrong_type`, `missing_role`, `unknown_role`, `missing_content`, `not_text`
            or `bad_tool_call`.
    """
    if not isinstance(turn, dict):
        raise wrong_type(turn, where, "an object")
    fields = cast("Fields", turn)
    named = _either(fields, "role", "from")
    if is_missing(named):
        raise MisfitError("missing_role", where)
    role = ROLES.get(as_text(named, f"{where}: role"))
    if role is None:
        raise MisfitError("unknown_role", f"{where}: none of {', '.join(ROLES)}")
    content = _either(fields, "content", "value")
    if named == "function_call":
        return Message(role, "", _more(fields, content, where))
    more = _more(fields, fields.get("tool_calls") or fields.get("function_call"), where)
    if is_missing(content) and role == "assistant" and more is not None:
        return Message(role, "", more)  # a call needs no words
    return Message(role, _content(content, where), more)


def conversation(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages in an order that chat templates accept.

    Many templates refuse two turns of one role in a row, so such turns become one, line below
    line; and a system message anywhere but at the start, so that is a misfit.

    Raises:
        MisfitError: `empty_conversation`, `no_answer` or `wrong_order`.
    """
    if not messages:
        raise MisfitError("empty_conversation", "no messages")
    if messages[-1].role != "assistant":
        raise MisfitError("no_answer", f"the last message is one of the {messages[-1].role}")
    joined: list[Message] = []
    for message in messages:
        if joined and _continues(joined[-1], message):
            joined[-1] = Message(message.role, f"{joined[-1].content}\n{message.content}")
        else:
            joined.append(message)
    if any(message.role == "system" for message in joined[1:]):
        raise MisfitError("wrong_order", "a system message after the conversation began")
    return tuple(joined)


def _continues(before: Message, message: Message) -> bool:
    plain = before.more is None and message.more is None
    return plain and before.role == message.role and message.role != "tool"


def _either(fields: Fields, first: str, second: str) -> Any:
    value = fields.get(first)
    return fields.get(second) if value is None else value


def _more(fields: Fields, calls: object, where: str) -> str | None:
    """What else a template reads of a turn, as canonical JSON."""
    found: dict[str, object] = {
        name: as_text(fields[name], f"{where}: {name}")
        for name in ("name", "tool_call_id")
        if not is_missing(fields.get(name))
    }
    if not is_missing(calls) and calls != []:
        found["tool_calls"] = canonical_calls(calls, where)
    return canonical_json(found, where) if found else None


def _content(value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    if is_missing(value):
        raise MisfitError("missing_content", where)
    if isinstance(value, list):
        return "\n".join(_part(part, where) for part in cast("list[object]", value))
    raise wrong_type(value, f"{where}: content", "text")


def _part(part: object, where: str) -> str:
    if isinstance(part, str):
        return part
    fields = cast("Fields", part) if isinstance(part, dict) else {}
    text = fields.get("text")
    if fields.get("type", "text") != "text" or not isinstance(text, str):
        raise MisfitError("not_text", f"{where}: a part that is no text, such as an image")
    return text
