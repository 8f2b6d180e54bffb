"""A conversation as the model sees it: one way for training, scoring and serving.

Prompt and answer are cut into tokens apart, since that is how an answer begins in service: the
prompt is fixed before its first token.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from sluice.data.record import Message, Record
from sluice.errors import IntegrityError, TemplateError
from sluice.lake import digest_of
from sluice.training.control_tokens import controls_of, marks_for
from sluice.training.templates import no_template


@dataclass(frozen=True, slots=True)
class ChatRow:
    """Prompt up to where the answer begins, answer up to and with the token that ends it.

    Both as text and as token ids. The ids are not those of the text where a message holds the text
    of a control token: see `sluice.training.control_tokens`.
    """

    prompt: str
    answer: str
    prompt_ids: list[int]
    answer_ids: list[int]


def chat_row(tokenizer: Any, record: Record, system_prompt: str | None) -> ChatRow:
    """Cut a conversation in two at the point where the answer begins.

    Raises:
        TemplateError: there is no template, it refuses the conversation, or it writes a prompt
            differently once the answer follows.
    """
    chat: Any = as_prompt(record.prompt, system_prompt)
    last: Any = as_chat(record.messages[-1:], None)
    tools: Any = tool_list(record.tools)
    marks = marks_for(tokenizer, chat, last, tools)
    chat, last, tools = marks.put(chat), marks.put(last), marks.put(tools)
    prompt = _rendered(tokenizer, chat, tools, to_be_answered=True)
    whole = _rendered(tokenizer, [*chat, *last], tools, to_be_answered=False)
    if not whole.startswith(prompt):
        raise TemplateError(
            f"Row {record.id}: the chat template writes the prompt differently once an answer "
            "follows, so what is trained would not be what is served. Use a template whose "
            "generation prompt is a prefix of the whole conversation (`model.chat_template`)."
        )
    answer = _through_end_of_turn(tokenizer, whole[len(prompt) :])
    return ChatRow(
        marks.taken_out(prompt),
        marks.taken_out(answer),
        marks.ids(tokenizer, prompt),
        marks.ids(tokenizer, answer),
    )


def prompt_ids(
    tokenizer: Any, messages: Sequence[Message], system_prompt: str | None, tools: str | None = None
) -> list[int]:
    """Token ids of a prompt, up to where the answer begins; `tools` are JSON.

    Not for two threads at once on one tokenizer: it switches the tokenizer's mode and back.

    Raises:
        TemplateError: there is no template, or it refuses the conversation.
    """
    chat, listed = as_prompt(messages, system_prompt), tool_list(tools)
    marks = marks_for(tokenizer, chat, listed)
    text = _rendered(tokenizer, marks.put(chat), marks.put(listed), to_be_answered=True)
    return marks.ids(tokenizer, text)


def prompt_text(tokenizer: Any, chat: list[dict[str, Any]], tools: str | None = None) -> str:
    """The prompt as text, ending where the assistant's answer begins; `tools` are JSON."""
    return _rendered(tokenizer, chat, tool_list(tools), to_be_answered=True)


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


def chat_digest(tokenizer: Any, stop_ids: Sequence[int]) -> str:
    """Digest of all that decides how a conversation is written and where an answer ends.

    That is the chat template, the tokens that end an answer, and the named special tokens.
    """
    template: Any = tokenizer.chat_template
    if isinstance(template, str):
        template = template.replace("\r\n", "\n")  # so does whoever reads it back from a file
    return digest_of([template, sorted(stop_ids), tokenizer.special_tokens_map])


def require_same_chat(tokenizer: Any, model: Any, expected: str | None) -> None:
    """Compare with what a model was trained with. None: it was not noted, and nothing is said.

    Raises:
        IntegrityError: conversations would be written, or answers ended, in another way.
    """
    found = chat_digest(tokenizer, stop_ids(model, tokenizer))
    if expected is not None and found != expected:
        raise IntegrityError(
            f"Chat template, stop tokens or special tokens are not those of the training (digest "
            f"{found[:12]}, not {expected[:12]}): the model would be asked in another form than it "
            "learned, or would not stop. Restore its tokenizer folder and base, or train again."
        )


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


def tool_list(tools: str | None) -> list[Any] | None:
    """Tool definitions as chat templates take them."""
    return json.loads(tools) if tools else None


def _turn(message: Message) -> dict[str, Any]:
    more: dict[str, Any] = json.loads(message.more) if message.more else {}
    return {"role": message.role, "content": message.content, **more}


def _rendered(
    tokenizer: Any, chat: list[dict[str, Any]], tools: list[Any] | None, *, to_be_answered: bool
) -> str:
    if not tokenizer.chat_template:
        raise no_template()
    try:
        text: Any = tokenizer.apply_chat_template(
            chat, tools=tools, tokenize=False, add_generation_prompt=to_be_answered
        )
    except (jinja2.TemplateError, TypeError) as error:
        roles = ", ".join(str(turn["role"]) for turn in chat)
        raise TemplateError(
            f"The chat template refuses a conversation of {roles}: {error}. Change the rows or "
            "`model.system_prompt`, or name another template in `model.chat_template`."
        ) from error
    return str(text)


def _through_end_of_turn(tokenizer: Any, answer: str) -> str:
    # Some templates go on behind the token that ends the turn (a newline; Phi-3 with a second end);
    # generation has stopped before that.
    end = controls_of(tokenizer).end.search(answer)
    if end:
        return answer[: end.end(1)]
    # Nothing would teach the model to stop (GLM's template ends a turn with the next one's token).
    if tokenizer.eos_token is None:
        raise TemplateError(
            "The chat template ends answers with no special token, and the tokenizer has no "
            "end-of-text token: the model could not learn to stop. Name another template in "
            "`model.chat_template`, or set the tokenizer's `eos_token`."
        )
    return f"{answer.rstrip()}{tokenizer.eos_token}"


def _end_of_turn_id(tokenizer: Any) -> int | None:
    turn = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    text = _rendered(tokenizer, turn, None, to_be_answered=False)
    end = controls_of(tokenizer).end.search(text)
    return token_ids(tokenizer, end[1])[0] if end else None
