"""Contamination: a row that copies a held-out one is found, with its twin, and no other is."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.contamination import (
    MIN_ANSWER_TOKENS,
    NEAR_ANSWER,
    NEAR_QUESTION,
    EvaluationIndex,
    contaminated,
)
from sluice.data.record import Message, Record, content_id, table_of
from sluice.data.similarity import folded, jaccard, shingles, tokens_of

EXAMPLES = Path(__file__).parents[3] / "examples"
HELD_OUT = [
    ("How long may I return a tent?", "Within forty days, unused, with the receipt."),
    ("帐篷可以退货吗？", "四十天内未使用并带小票即可退货。"),
    ("Thanks!", "You are welcome!"),
    ("???", "other"),
]


def row(question: str, answer: str, line: int = 1) -> Record:
    messages = (Message("user", question), Message("assistant", answer))
    return Record(content_id(messages), messages, "jan.jsonl", line)


def found(rows: Sequence[Record], held_out: Sequence[Record], threshold: float = 0.55) -> list[Any]:
    index = pickle.loads(pickle.dumps(EvaluationIndex.build(held_out, threshold)))
    table = contaminated(table_of(rows), index).select(
        ["row", "reason", "evaluation_id", "similarity"]
    )
    return [tuple(copy.values()) for copy in table.to_pylist()]


@pytest.mark.parametrize(
    ("question", "answer", "reason", "twin"),
    [
        ("How long may I return a tent please?", "Forty days.", NEAR_QUESTION, 0),
        ("What of refunds?", "Within forty days, unused, and with the receipt.", NEAR_ANSWER, 0),
        ("请问帐篷可以退货吗", "可以。", NEAR_QUESTION, 1),
        ("退货要什么？", "四十天内未使用并带上小票即可退货。", NEAR_ANSWER, 1),
        ("HOW LONG MAY I RETURN A TENT", "Forty days.", NEAR_QUESTION, 0),
        ("???", "something else", NEAR_QUESTION, 3),
    ],
)
def test_near_copies_are_found_with_their_twin_and_reason(
    question: str, answer: str, reason: str, twin: int
) -> None:
    held_out = [row(*pair) for pair in HELD_OUT]
    [(number, why, evaluation_id, similarity)] = found([row(question, answer)], held_out)
    assert (number, why, evaluation_id) == (0, reason, held_out[twin].id)
    assert 0.55 <= similarity <= 1


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Do you repair zips?", "Yes, for twelve euros."),
        ("Great help", "You are welcome!"),  # too short an answer to be a copy
        ("!!!", "something else"),
    ],
)
def test_other_rows_are_no_copies(question: str, answer: str) -> None:
    assert found([row(question, answer)], [row(*pair) for pair in HELD_OUT]) == []


def test_two_rows_that_ask_nothing_are_no_copies_of_each_other_but_for_what_they_say() -> None:
    one, two, three = (
        Record(content_id(said), said, "jan.jsonl", 1)
        for said in (
            (Message("assistant", "The tent of last year has a green roof and two doors."),),
            (Message("assistant", "A stove burns wood, and a lamp burns oil, or so they say."),),
            (Message("assistant", "The tent of last year has a green roof, and two doors!"),),
        )
    )
    assert found([two], [one]) == []
    assert [copy[1] for copy in found([three], [one])] == [NEAR_ANSWER]


def test_nothing_copies_an_empty_index_and_no_rows_copy_anything() -> None:
    assert found([row("a b", "c d")], []) == []
    assert found([], [row("a b", "c d")]) == []


words = st.lists(st.sampled_from(["a", "b", "c", "你", "好", "帐", "?", "É"]), max_size=9)
texts = words.map(" ".join) | words.map("".join)
pairs = st.lists(st.tuples(texts, texts), max_size=6)


@settings(max_examples=300, deadline=None)
@given(pairs, pairs, st.sampled_from([0.2, 0.55, 1.0]))
def test_comparing_a_part_finds_what_comparing_each_row_with_each_finds(
    rows: list[tuple[str, str]], held_out: list[tuple[str, str]], threshold: float
) -> None:
    records = [row(*pair) for pair in rows]
    evaluation = [row(*pair) for pair in held_out]
    assert found(records, evaluation, threshold) == by_hand(records, evaluation, threshold)


@pytest.mark.parametrize("name", ["customer_service", "kefu"])
def test_the_shipped_months_copy_each_other_as_by_hand_and_copy_no_evaluation_row(
    name: str,
) -> None:
    months = [rows_of(EXAMPLES / name / f"2026-{month}.jsonl") for month in ("09", "10")]
    evaluation = rows_of(EXAMPLES / name / "evaluation.jsonl")
    assert found([*months[0], *months[1]], evaluation) == []
    assert found(months[1], months[0], 0.3) == by_hand(months[1], months[0], 0.3) != []


def rows_of(path: Path) -> list[Record]:
    records: list[Record] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            fields = json.loads(line)
            question = "\n".join(filter(None, (fields["instruction"], fields["input"])))
            records.append(row(question, fields["output"], number))
        except (ValueError, KeyError, TypeError):
            continue  # planted dirt
    return records


def by_hand(records: Sequence[Record], evaluation: Sequence[Record], threshold: float) -> list[Any]:
    copies: list[Any] = []
    for number, record in enumerate(records):
        twin = twin_of(record.question, [r.question for r in evaluation], threshold)
        reason = NEAR_QUESTION
        if twin is None and len(tokens_of(record.answer)) >= MIN_ANSWER_TOKENS:
            twin = twin_of(record.answer, [r.answer for r in evaluation], threshold)
            reason = NEAR_ANSWER
        if twin is not None:
            copies.append((number, reason, evaluation[twin[0]].id, round(twin[1], 4)))
    return copies


def twin_of(text: str, others: Sequence[str], threshold: float) -> tuple[int, float] | None:
    for i, other in enumerate(others):
        if folded(other) == folded(text) != "":
            return i, 1.0
    own = shingles(text)
    scores = [(jaccard(own, shingles(other)), -i) for i, other in enumerate(others)]
    best = max((score for score in scores if score[0] >= threshold), default=None)
    return None if best is None else (-best[1], best[0])
