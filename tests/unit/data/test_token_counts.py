"""Token counts: the base model's own tokenizer, and a bound from above on what training sees."""

from __future__ import annotations

from pathlib import Path

from sluice.data.tokens import (
    DEFAULT_SYSTEM_TOKENS,
    MESSAGE_OVERHEAD_TOKENS,
    record_token_counter,
    token_counter,
)
from tests.unit.data.rows import row, word_tokenizer


def test_a_text_is_counted_without_the_limits_of_the_tokenizer_file(tmp_path: Path) -> None:
    count = token_counter(word_tokenizer(tmp_path))
    assert count("one two three") == 3
    assert count("word " * 5000) == 5000


def test_a_row_counts_its_messages_and_the_system_prompt(tmp_path: Path) -> None:
    count = token_counter(word_tokenizer(tmp_path))
    record = row("one two", "three four five")
    overhead = 3 * MESSAGE_OVERHEAD_TOKENS
    assert record_token_counter(count, "be kind")(record) == 5 + 2 + overhead
    assert record_token_counter(count, None)(record) == 5 + DEFAULT_SYSTEM_TOKENS + overhead
