"""A conversation as the model sees it: one way for training, scoring and serving.

Prompt and answer are cut into tokens apart, since that is how an answer begins in service: the
prompt is fixed before its first token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sluice.data.record import Message, Record
from sluice.errors import TemplateError


@dataclass(frozen=True, slots=True)
class ChatRow:
    """Prompt up to where the answer begins; answer up to and with the end-of-turn token."""

    prompt: str
    answer: str


def chat_row(tokenizer: Any, record: Record, system_prompt: str | None) -> ChatRow:
    """Cut a conversation in two at the point where the answer begins.

    Raises:
        TemplateError: the template writes a prompt differently once the answer follows.
    """
    chat = as_prompt(record.prompt, system_prompt)
    prompt = prompt_text(tokenizer, chat, record.tools)
    answered = [*chat, *as_chat(record.messages[-1:], None)]
    tools = tool_list(record.tools)
    whole = str(tokenizer.apply_chat_template(answered, tools=tools, tokenize=False))
    if not whole.startswith(prompt):
        raise TemplateError(
            f"Row {record.id}: the chat template writes the prompt differently once an answer "
            "follows, so what is trained would not be what is served. Use a template whose "
            "generation prompt is a prefix of the whole conversation (`model.chat_template`)."
        )
    return ChatRow(prompt, _through_end_of_turn(tokenizer, whole[len(prompt) :]))


def _through_end_of_turn(tokenizer: Any, answer: str) -> str:
    # Templates put a newline after the end-of-turn token; generation has stopped before it.
    end = answer.rstrip()
    return end if end.endswith(tuple(tokenizer.all_special_tokens)) else answer


def token_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of templated text: the template has already written every special token."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def stop_ids(model: Any, tokenizer: Any) -> list[int]:
    """Ids that end an answer: those of the model's own settings, of the tokenizer, of the template.

    A base model's end-of-text token is often not what its chat template ends a turn with.
    """
    configured: int | list[int] | None = model.generation_config.eos_token_id
    ids = set(configured if isinstance(configured, list) else [configured])
    ids |= {tokenizer.eos_token_id, _end_of_turn_id(tokenizer)}
    return sorted(token for token in ids if token is not None)


def _end_of_turn_id(tokenizer: Any) -> int | None:
    turn = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    text = str(tokenizer.apply_chat_template(turn, tokenize=False)).rstrip()
    last = token_ids(tokenizer, text)[-1]
    return last if last in set(tokenizer.all_special_ids) else None


def as_chat(messages: Sequence[Message], system_prompt: str | None) -> list[dict[str, Any]]:
    """Messages in the form that chat templates take, with the recipe's system prompt in front."""
    chat = [_turn(message) for message in messages]
    has_system = bool(chat) and chat[0]["role"] == "system"
    if system_prompt is not None and not has_system:
        return [{"role": "system", "content": system_prompt}, *chat]
    return chat


def as_prompt(messages: Sequence[Message], system_prompt: str | None) -> list[dict[str, Any]]:
    """The same for what comes before an answer: a row of plain text has an empty question.

    Templates refuse a conversation in which nobody but the assistant speaks.
    """
    chat = as_chat(messages, system_prompt)
    if any(turn["role"] in ("user", "tool") for turn in chat):
        return chat
    return [*chat, {"role": "user", "content": ""}]


def _turn(message: Message) -> dict[str, Any]:
    more: dict[str, Any] = json.loads(message.more) if message.more else {}
    return {"role": message.role, "content": message.content, **more}


def prompt_text(tokenizer: Any, chat: list[dict[str, Any]], tools: str | None = None) -> str:
    """The prompt as text, ending where the assistant's answer begins; `tools` are JSON."""
    return str(
        tokenizer.apply_chat_template(
            chat, tools=tool_list(tools), tokenize=False, add_generation_prompt=True
        )
    )


def tool_list(tools: str | None) -> list[Any] | None:
    """Tool definitions as chat templates take them."""
    return json.loads(tools) if tools else None
