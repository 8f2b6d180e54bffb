from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import CONTEXT, build_tiny_base
from transformers import AutoConfig, BloomConfig, Gemma3Config

from sluice.data.record import Message, Record
from sluice.errors import TrainingError
from sluice.training.chat import chat_row
from sluice.training.loading import load_tokenizer
from sluice.training.rows import NOT_LEARNED, RowCounts, longest_row, tokenised

SYSTEM = "You sell tents."


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return load_tokenizer(base)


def row_of(question: str, answer: str, more: str | None = None) -> Record:
    return Record("id", (Message("user", question), Message("assistant", answer, more)), "test", 1)


def taught(row: dict[str, list[int]]) -> list[int]:
    return [label for label in row["labels"] if label != NOT_LEARNED]


def test_only_the_answer_is_learned_and_its_end_too(tokenizer: Any) -> None:
    (row,), counts = tokenised([row_of("退货吗？", "可以。")], tokenizer, SYSTEM, None)
    assert tokenizer.decode(taught(row)) == "可以。<|im_end|>"
    assert row["input_ids"][-len(taught(row)) :] == taught(row)
    assert SYSTEM in tokenizer.decode(row["input_ids"])
    total = len(row["input_ids"])
    assert counts == RowCounts(1, total, len(taught(row)), cut=0, without_answer=0, blank=0)


def test_a_row_that_just_fits_is_whole_and_one_token_less_cuts_its_end(tokenizer: Any) -> None:
    row = chat_row(tokenizer, row_of("退货吗？", "可以。"), None)
    length = len(row.prompt_ids) + len(row.answer_ids)
    (whole,), counts = tokenised([row_of("退货吗？", "可以。")], tokenizer, None, length)
    assert (taught(whole), counts.cut) == (row.answer_ids, 0)
    (cut,), counts = tokenised([row_of("退货吗？", "可以。")], tokenizer, None, length - 1)
    assert (taught(cut), counts.cut) == (row.answer_ids[:-1], 1)
    assert counts.without_answer == 0


def test_rows_without_room_for_an_answer_are_left_out_and_counted(tokenizer: Any) -> None:
    rows = [row_of("How much? " * 40, "有。"), row_of("Hi", "Hello")]
    found, counts = tokenised(rows, tokenizer, None, 100)
    assert len(found) == counts.rows == 1
    assert (counts.cut, counts.without_answer, counts.blank) == (1, 1, 0)


@pytest.mark.parametrize("answer", ["", "  \n", "\u3000"])
def test_blank_answers_would_teach_silence_and_are_left_out(tokenizer: Any, answer: str) -> None:
    found, counts = tokenised([row_of("Hi", answer), row_of("Hi", "是")], tokenizer, None, None)
    assert len(found) == 1
    assert (counts.blank, counts.without_answer, counts.cut) == (1, 0, 0)


def test_a_call_of_a_tool_is_an_answer_without_text(tokenizer: Any) -> None:
    _, counts = tokenised([row_of("Hi", "", '{"tool_calls": []}')], tokenizer, None, None)
    assert (counts.rows, counts.blank) == (1, 0)


def test_a_row_that_the_assistant_does_not_end_has_no_answer(tokenizer: Any) -> None:
    unanswered = Record("id", (Message("user", "Hi"), Message("user", "Anyone?")), "test", 1)
    _, counts = tokenised([unanswered, row_of("Hi", "Yes")], tokenizer, None, None)
    assert (counts.rows, counts.blank) == (1, 1)


def test_nothing_left_to_learn_is_told_with_numbers(tokenizer: Any) -> None:
    rows = [row_of("Hi", "Hello"), row_of("退货吗？", "可以。"), row_of("Hi", "")]
    with pytest.raises(
        TrainingError, match=r"In 2 of 3 rows .* \(8 tokens\), and 1 have blank .*max_length"
    ):
        tokenised(rows, tokenizer, None, 8)
    with pytest.raises(TrainingError, match="All 1 rows have blank answers"):
        tokenised(rows[2:], tokenizer, None, None)


def test_no_rows_are_no_error(tokenizer: Any) -> None:
    found, counts = tokenised([], tokenizer, None, 8)
    assert len(found) == counts.rows == 0


def test_the_longest_row_is_the_recipes_and_never_more_than_the_context(base: Path) -> None:
    config: Any = AutoConfig.from_pretrained(base)
    assert longest_row(config, None) == CONTEXT
    assert longest_row(config, 100) == 100
    assert longest_row(config, 10 * CONTEXT) == CONTEXT
    assert longest_row(config, 10 * CONTEXT, before=16) == CONTEXT - 16
    nested: Any = Gemma3Config(text_config={"max_position_embeddings": 300})
    assert longest_row(nested, None) == 300
    assert longest_row(BloomConfig(), 100) == 100
    assert longest_row(BloomConfig(), None) is None  # its positions have no end


texts = st.text(max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=4), st.integers(40, 120))
def test_every_row_is_kept_or_counted_and_none_is_too_long(
    tokenizer: Any, pairs: list[tuple[str, str]], longest: int
) -> None:
    rows = [row_of(question, answer) for question, answer in [*pairs, ("退", "货")]]
    found, counts = tokenised(rows, tokenizer, None, longest)
    assert counts.rows + counts.without_answer + counts.blank == len(rows)
    assert counts.without_answer <= counts.cut
    assert counts.tokens == sum(len(row["input_ids"]) for row in found)
    assert counts.answer_tokens == sum(len(taught(row)) for row in found)
    for row in found:
        assert len(row["input_ids"]) == len(row["labels"]) <= longest
        assert taught(row)
