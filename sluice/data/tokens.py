"""Counting tokens with the base model's own tokenizer, without transformers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from sluice.data.record import Record

# ChatML writes `<|im_start|>role\ncontent<|im_end|>\n` around each message: two markers and two
# line breaks of one token each, and a role of up to two (SmolLM2 cuts `assistant` in two).
MESSAGE_OVERHEAD_TOKENS = 6

# Without a system prompt of their own, templates add a default one (SmolLM2's has 16 tokens). 32
# leaves room for a longer one: a row dropped too early is better than an answer cut off.
DEFAULT_SYSTEM_TOKENS = 32


def token_counter(tokenizer_json: Path) -> Callable[[str], int]:
    """A function that counts the tokens of a text, special tokens of the template not included."""
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count


def record_token_counter(
    count: Callable[[str], int], system_prompt: str | None
) -> Callable[[Record], int]:
    """A function that bounds the tokens of a row as the trainer will see it, from above.

    The system prompt is not in the rows but is trained with, so it counts for each row.
    """
    system = DEFAULT_SYSTEM_TOKENS if system_prompt is None else count(system_prompt)

    def count_record(record: Record) -> int:
        texts = sum(count(m.content) + MESSAGE_OVERHEAD_TOKENS for m in record.messages)
        return texts + system + MESSAGE_OVERHEAD_TOKENS

    return count_record
