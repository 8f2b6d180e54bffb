"""A row as the model sees it: prompt text, answer text with its end-of-turn token, stop tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sluice.data.record import Record
from sluice.errors import EvaluationError
from sluice.training.loading import as_chat, as_prompt, prompt_text, tool_list


@dataclass(frozen=True, slots=True)
class ChatRow:
    """Prompt up to where the answer begins; answer up to and with the end-of-turn token."""

    prompt: str
    answer: str


def chat_row(tokenizer: Any, record: Record, system_prompt: str | None) -> ChatRow:
    """Cut a conversation in two at the point where the answer begins.

    Raises:
        EvaluationError: the template writes a prompt differently once the answer follows.
    """
    chat = as_prompt(record.prompt, system_prompt)
    prompt = prompt_text(tokenizer, chat, record.tools)
    answered = [*chat, *as_chat(record.messages[-1:], None)]
    tools = tool_list(record.tools)
    whole = str(tokenizer.apply_chat_template(answered, tools=tools, tokenize=False))
    if not whole.startswith(prompt):
        raise EvaluationError(
            f"Row {record.id}: the chat template writes the prompt differently once an answer "
            "follows, so answers cannot be scored as they were trained. Use a template whose "
            "generation prompt is a prefix of the whole conversation."
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
