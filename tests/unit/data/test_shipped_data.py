"""The data that ships: enough of it, its planted dirt is caught, and it is fit to be judged by."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sluice.data.cleaning.clean import Cleaned, clean_records
from sluice.data.reading import Batch, read_alpaca
from sluice.data.record import Record
from sluice.data.similarity import NearIndex
from tests.unit.data.rows import CLEANING

EXAMPLES = Path(__file__).parents[3] / "examples"
SETS = ("customer_service", "kefu")
MONTHS = ("2026-09.jsonl", "2026-10.jsonl")
NEAR = 0.55

REJECTED = {"truncated_json": "not_json", "missing_output": "missing_output"}
REJECTED["wrong_type"] = "wrong_type"
DROPPED = {"empty_output": "answer_empty", "short_output": "answer_too_short"}
DROPPED |= {"over_long": "too_many_characters", "exact_duplicate": "exact_duplicate"}
REPAIRED = ("html", "control_characters")

pytestmark = pytest.mark.skipif(
    not all((EXAMPLES / name / "dirt.json").exists() for name in SETS),
    reason="the example data is not in this checkout",
)


def read(name: str) -> dict[str, Batch]:
    return {month: read_alpaca(EXAMPLES / name / month) for month in MONTHS}


def clean(name: str) -> Cleaned:
    records = [record for batch in read(name).values() for record in batch.records]
    return clean_records(records, CLEANING, lambda _: 0)


def dirt_of(name: str, month: str, kind: str) -> list[Any]:
    planted = json.loads((EXAMPLES / name / "dirt.json").read_text(encoding="utf-8"))
    found: list[Any] = planted[month][kind]
    assert found
    return found


@pytest.mark.parametrize(
    ("name", "rows", "held_out"), [("customer_service", 320, 80), ("kefu", 160, 60)]
)
def test_there_are_enough_rows_of_enough_intents(name: str, rows: int, held_out: int) -> None:
    kept = clean(name).kept
    assert len(kept) >= rows
    evaluation = read_alpaca(EXAMPLES / name / "evaluation.jsonl")
    assert not evaluation.rejects
    assert len(clean_records(evaluation.records, CLEANING, lambda _: 0).kept) >= held_out
    for records in (kept, evaluation.records):
        assert len({record.intent for record in records}) >= 12


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("name", SETS)
def test_unreadable_lines_are_rejected_where_they_were_planted(name: str, month: str) -> None:
    found = {reject.line: reject.reason for reject in read(name)[month].rejects}
    for kind, reason in REJECTED.items():
        assert {found.pop(line) for line in dirt_of(name, month, kind)} == {reason}
    # NUL is the one control character that makes a line unreadable instead of being cleaned.
    assert set(found.values()) <= {"nul_character"}
    assert set(found) <= set(dirt_of(name, month, "control_characters"))


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("name", SETS)
def test_bad_rows_are_dropped_where_they_were_planted_and_no_others(name: str, month: str) -> None:
    dropped = clean(name).dropped
    found = {d.record.line: d.reason for d in dropped if d.record.source == month}
    expected = {
        (place[0] if isinstance(place, list) else place): reason
        for kind, reason in DROPPED.items()
        for place in dirt_of(name, month, kind)
    }
    assert expected.items() <= found.items()
    # A near duplicate that differs only in case or spacing is an exact one to cleaning.
    near = {place[0] for place in dirt_of(name, month, "near_duplicate")}
    others = {line: reason for line, reason in found.items() if line not in expected}
    assert set(others) <= near
    assert set(others.values()) <= {"exact_duplicate"}


@pytest.mark.parametrize("month", MONTHS)
@pytest.mark.parametrize("name", SETS)
def test_html_and_control_characters_are_cleaned_and_their_rows_stay(name: str, month: str) -> None:
    kept = {r.line: r for r in clean(name).kept if r.source == month}
    rejected = {reject.line for reject in read(name)[month].rejects}
    raw = {r.line: r for r in read(name)[month].records}
    for kind in REPAIRED:
        for line in set(dirt_of(name, month, kind)) - rejected:
            assert kept[line].messages != raw[line].messages
            assert is_plain(kept[line])


@pytest.mark.parametrize("name", SETS)
def test_no_evaluation_question_or_answer_nearly_equals_a_training_one(name: str) -> None:
    kept = clean(name).kept
    questions = NearIndex([r.question for r in kept], NEAR)
    answers = NearIndex([r.answer for r in kept], NEAR)
    for record in read_alpaca(EXAMPLES / name / "evaluation.jsonl").records:
        assert questions.nearest(record.question) is None, record.question
        assert answers.nearest(record.answer) is None, record.answer


def is_plain(record: Record) -> bool:
    text = record.question + record.answer
    return not re.search("</?[a-z]|&[a-z]+;|[\x00-\x08\x0b-\x1f\u200b-\u200d\u2060\ufeff]", text)
