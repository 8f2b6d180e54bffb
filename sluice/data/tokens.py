"""Counting tokens with the base model's own tokenizer, without transformers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from sluice.data.record import Record

# ChatML writes `<|im_start|>role\ncontent<|im_end|>\n` around each message: two markers and two
# line breaks of one token each, and a role of up to two (SmolLM2 cuts `assistant` in two).
MESSAGE_OVERHEAD_TOKENS = 6

# Without a system prompt of their own, templates add a default one (SmolLM2's has 16 tokens). 32
# leaves room for a longer one: a row dropped too early is better than an answer cut off.
DEFAULT_SYSTEM_TOKENS = 32

# Templates introduce tools with some words of their own (Qwen's take 130 tokens).
TOOLS_OVERHEAD_TOKENS = 160

_BATCH = 2048  # texts that are encoded at a time: some 10 MB of tokens


def special_tokens(tokenizer_json: Path) -> tuple[str, ...]:
    """The texts that a tokenizer turns into special tokens wherever they stand."""
    file: dict[str, Any] = json.loads(tokenizer_json.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = file.get("added_tokens") or []
    return tuple(sorted(token["content"] for token in found if token.get("special")))


def token_counter(tokenizer_json: Path) -> Callable[[str], int]:
    """A function that counts the tokens of a text, special tokens of the template not included."""
    tokenizer = _tokenizer(tokenizer_json)

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return count


def record_token_counter(
    count: Callable[[str], int], system_prompt: str | None
) -> Callable[[Record], int]:
    """A function that bounds the tokens of a row as the trainer will see it, from above.

    The system prompt is not in the rows but is trained with, so it counts for each row.
    """
    system = _system_tokens(count, system_prompt)
    return lambda record: system + sum(map(count, texts_of(record))) + overhead_of(record)


def token_counts(
    records: Sequence[Record], tokenizer_json: Path, system_prompt: str | None
) -> list[int]:
    """The bound of `record_token_counter` for many rows, several times as fast."""
    tokenizer = _tokenizer(tokenizer_json)
    texts = [texts_of(record) for record in records]
    flat = [text for row in texts for text in row]
    lengths: list[int] = []
    for start in range(0, len(flat), _BATCH):
        batch = tokenizer.encode_batch_fast(flat[start : start + _BATCH], add_special_tokens=False)
        lengths += map(len, batch)
    ends = list(accumulate(map(len, texts), initial=0))
    system = _system_tokens(token_counter(tokenizer_json), system_prompt)
    return [
        system + sum(lengths[ends[i] : ends[i + 1]]) + overhead_of(record)
        for i, record in enumerate(records)
    ]


def texts_of(record: Record) -> list[str]:
    """All texts of a row that a chat template writes: contents, tool calls, tools."""
    calls = [_spelled_out(m.more) for m in record.messages if m.more]
    tools = [_spelled_out(record.tools)] if record.tools else []
    return [*(m.content for m in record.messages), *calls, *tools]


def overhead_of(record: Record) -> int:
    """Tokens that the template adds around the texts of a row, beside the system prompt."""
    tools = TOOLS_OVERHEAD_TOKENS if record.tools else 0
    return (len(record.messages) + 1) * MESSAGE_OVERHEAD_TOKENS + tools


def _spelled_out(canonical: str) -> str:
    # As templates write it: `tojson` puts spaces after commas and colons, or breaks the lines.
    return json.dumps(json.loads(canonical), ensure_ascii=False, indent=1)


def _system_tokens(count: Callable[[str], int], system_prompt: str | None) -> int:
    return DEFAULT_SYSTEM_TOKENS if system_prompt is None else count(system_prompt)


@lru_cache(maxsize=2)
def _tokenizer(tokenizer_json: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
