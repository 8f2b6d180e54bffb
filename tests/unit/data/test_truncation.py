"""Rows that are too long lose their oldest turns, then their question's middle, never an answer."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.cleaning.clean import CleanSettings, clean_records
from sluice.data.record import Message, Record, content_id
from sluice.data.tokens import record_token_counter, token_counter
from sluice.recipe import CleaningSection
from tests.unit.data.rows import row, word_tokenizer

ANSWER = "Yes, we sell tents of five sizes."
CUTTING = CleanSettings(CleaningSection(too_long="truncate", max_chars=300))


def talk(*texts: str, system: str | None = None) -> Record:
    turns = [Message("user" if i % 2 == 0 else "assistant", t) for i, t in enumerate(texts)]
    messages = (*([Message("system", system)] if system else []), *turns)
    return Record(content_id(messages), messages, "jan.jsonl", 1)


def test_the_oldest_turns_go_first_and_the_system_message_stays() -> None:
    record = talk("old " * 50, "old " * 30, "And now?", ANSWER, "Tents?", ANSWER, system="Be kind.")
    (kept,) = clean_records([record], CUTTING).kept
    assert [m.content for m in kept.messages] == ["Be kind.", "And now?", ANSWER, "Tents?", ANSWER]
    assert kept.id == content_id(kept.messages)


def test_then_the_middle_of_the_question_goes_and_the_answer_is_whole() -> None:
    question = "What is wrong here? " + "line of a log, " * 100 + "It stops at once."
    result = clean_records([row(question, ANSWER)], CUTTING)
    (kept,) = result.kept
    assert kept.answer == ANSWER
    assert kept.question.startswith("What is wrong here? ")
    assert kept.question.endswith("It stops at once.")
    assert "\n…\n" in kept.question
    assert 280 < len(kept.question) + len(ANSWER) <= 300
    assert result.counts["repaired"] == {"truncated": 1}


def test_a_row_whose_answer_alone_is_too_long_is_dropped() -> None:
    result = clean_records([row("Tell me all.", ANSWER * 20)], CUTTING)
    assert [gone.reason for gone in result.gone] == ["too_many_characters"]
    assert result.counts["repaired"] == {}


def test_tokens_bound_a_row_like_characters_do(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(tmp_path)
    section = CleaningSection(too_long="truncate", max_tokens=150)
    settings = CleanSettings(section, tokenizer_json=tokenizer)
    count = record_token_counter(token_counter(tokenizer), None)
    (kept,) = clean_records([row("why " * 400 + "so?", ANSWER)], settings).kept
    assert 140 < count(kept) <= 150
    assert kept.answer == ANSWER


pieces = st.lists(
    st.sampled_from(["你好", "a ", "\n", "é", "<b>", "`", "```\n", "\u200d", "."]), max_size=99
)
turns = st.lists(pieces.map("".join), min_size=2, max_size=6)


@settings(max_examples=60, deadline=None)
@given(turns)
def test_what_was_cut_is_clean_and_is_not_cut_again(texts: list[str]) -> None:
    section = CleaningSection(too_long="truncate", max_chars=120, min_answer_chars=1)
    once = clean_records([talk(*texts)], CleanSettings(section))
    twice = clean_records(once.kept, CleanSettings(section))
    assert (twice.kept, twice.counts["repaired"]) == (once.kept, {})
