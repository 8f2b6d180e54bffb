"""The contract steps over the lake: what passes, what is set aside, and that docs stay outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from contracts.stored_rows import recipe, row, rows, stored, word_tokenizer

from data_contracts.steps import raw_contract_step, training_contract_step
from sluice.data.drift import DriftReport, Measure
from sluice.data.outcomes import Gone, gone_of
from sluice.data.parts import iterate, read_records
from sluice.data.record import Message, Record
from sluice.errors import ContractError
from sluice.lake import Lake
from sluice.recipe import CleaningSection, ContractSection, DriftSection, DuplicatesSection
from sluice.refs import DatasetRef

SMALL = recipe(contract=ContractSection(min_rows=5))
HELD_OUT = [row("Held out?", "Yes, held out.", source="evaluation.jsonl")]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return tmp_path / "run" / "data_docs"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    return word_tokenizer(tmp_path / "base")


def curated(lake: Lake, train: list[Record], evaluation: list[Record] = HELD_OUT) -> DatasetRef:
    validation = [row("Valid?", "Yes, valid.", line=900)]
    return stored(lake, train=train, validation=validation, evaluation=evaluation)


def gone(lake: Lake, ref: DatasetRef) -> list[Gone]:
    return [one for table in iterate(lake.path(ref) / "gone") for one in gone_of(table)]


def test_misshapen_rows_of_a_batch_are_set_aside_with_what_they_broke(
    lake: Lake, docs: Path
) -> None:
    odd = Record("0" * 16, (Message("user", "Hello?"),), "jan.jsonl", 7)
    batch = stored(lake, records=[*rows(10), odd, *rows(20)[10:]])
    checked = raw_contract_step(batch, SMALL, lake, docs)
    lake.verify(checked)
    assert checked.rows == 20
    assert read_records(lake.path(checked) / "records") == rows(20)
    (away,) = gone(lake, checked)
    assert away.record == odd
    assert (away.fate, away.reason) == (
        "quarantined",
        "expect_column_values_to_match_regex(roles)",
    )
    assert lake.manifest(checked)["gone"] == {away.reason: 1}
    assert (docs / "raw_records" / "index.html").exists()


def test_the_folder_has_no_docs_and_the_same_digest_each_time(tmp_path: Path) -> None:
    refs: set[DatasetRef] = set()
    for name in ("one", "two"):
        lake = Lake(tmp_path / name)
        dated = [row(line=i, received_at="2026-01-01T00:00:00+00:00") for i in (1, 2)]
        batch = stored(lake, records=[*rows(6), *dated])
        checked = raw_contract_step(batch, SMALL, lake, tmp_path / f"docs-{name}")
        refs.add(checked)
        assert not list(lake.path(checked).rglob("*.html"))
    assert len(refs) == 1


def test_a_step_done_before_brings_its_docs_to_the_new_run(
    tmp_path: Path, lake: Lake, docs: Path, tokenizer: Path
) -> None:
    batch, given = stored(lake, records=rows(6)), curated(lake, rows(8))
    again = tmp_path / "second-run"
    for folder in (docs, again):
        raw_contract_step(batch, SMALL, lake, folder)
        training_contract_step(given, SMALL, lake, tokenizer, folder)
    for name in ("raw_records", "curated_examples", "training_examples", "evaluation_rows"):
        assert (again / name / "index.html").exists(), name


def test_a_changed_limit_checks_again(lake: Lake, docs: Path) -> None:
    batch = stored(lake, records=rows(6))
    raw_contract_step(batch, SMALL, lake, docs)
    strict = recipe(contract=ContractSection(max_age_hours=1))
    with pytest.raises(ContractError, match="freshness_hours can be told"):
        raw_contract_step(batch, strict, lake, docs)


def test_stale_rows_stop_a_batch_that_must_be_fresh(lake: Lake, docs: Path) -> None:
    old = [row(line=i, received_at="2020-01-01T00:00:00+00:00") for i in range(1, 9)]
    strict = recipe(contract=ContractSection(max_age_hours=24))
    with pytest.raises(ContractError, match=r"freshness_hours is at most 24"):
        raw_contract_step(stored(lake, records=old), strict, lake, docs)


def test_training_rows_pass_with_their_splits(lake: Lake, docs: Path, tokenizer: Path) -> None:
    contracted = training_contract_step(curated(lake, rows(8)), SMALL, lake, tokenizer, docs)
    lake.verify(contracted)
    assert contracted.rows == 8
    assert read_records(lake.path(contracted) / "train") == rows(8)
    assert len(read_records(lake.path(contracted) / "validation")) == 1
    assert read_records(lake.path(contracted) / "evaluation") == HELD_OUT
    assert gone(lake, contracted) == []
    facts = lake.manifest(contracted)
    assert (facts["rows"], facts["kept"], facts["train"]) == (10, 10, 8)


@pytest.mark.parametrize(
    "bad",
    [
        row(answer=" \u3000 "),
        row(answer="\u200b\u2060"),
        row(question="\u200b"),
        row(answer="A bell\x07 rings."),
        row(answer="看<b>这里</b>吧。"),
        row(answer="long " * 900),
        row(answer="word " * 600),
    ],
)
def test_a_training_row_that_cleaning_should_have_caught_is_quarantined(
    bad: Record, lake: Lake, docs: Path, tokenizer: Path
) -> None:
    given = curated(lake, [*rows(20), bad])
    contracted = training_contract_step(given, SMALL, lake, tokenizer, docs)
    assert read_records(lake.path(contracted) / "train") == rows(20)
    assert [one.record for one in gone(lake, contracted)] == [bad]


def test_what_a_recipe_switches_off_the_contract_does_not_demand(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    off = ("html", "too_many_tokens", "too_many_characters")
    lenient = SMALL.model_copy(update={"cleaning": CleaningSection(off=off)})
    odd = [row(answer="看<b>这里</b>吧。"), row(answer="word " * 900)]
    given = curated(lake, [*rows(20), *odd])
    assert training_contract_step(given, lenient, lake, tokenizer, docs).rows == 22


def test_of_rows_that_occur_twice_one_stays_unless_the_recipe_keeps_duplicates(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    given = curated(lake, [*rows(30), *rows(1)])
    assert training_contract_step(given, SMALL, lake, tokenizer, docs).rows == 30
    keeping = SMALL.model_copy(update={"duplicates": DuplicatesSection(exact=False)})
    assert training_contract_step(given, keeping, lake, tokenizer, docs).rows == 31


@pytest.mark.parametrize(
    ("train", "evaluation", "says"),
    [
        (rows(4), HELD_OUT, r"at least 5 rows to train on.*observed 4"),
        (rows(8), [], r"there are rows to evaluate on.*observed 0"),
        (rows(8), [row("question  3?", "Something else.")], r"also an evaluation question"),
    ],
)
def test_a_batch_that_may_not_train_stops_and_leaves_its_docs(
    train: list[Record],
    evaluation: list[Record],
    says: str,
    lake: Lake,
    docs: Path,
    tokenizer: Path,
) -> None:
    with pytest.raises(ContractError, match=says):
        training_contract_step(curated(lake, train, evaluation), SMALL, lake, tokenizer, docs)
    for name in ("curated_examples", "training_examples", "evaluation_rows"):
        assert (docs / name / "index.html").exists()
    assert not (lake.root / "contracted").exists()


def test_too_few_rows_after_quarantine_stop_the_run(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    lenient = recipe(contract=ContractSection(min_rows=5, max_quarantined_share=0.5))
    given = curated(lake, [*rows(4), row(answer=" ")])
    with pytest.raises(ContractError, match="4 train rows are left after quarantine"):
        training_contract_step(given, lenient, lake, tokenizer, docs)


def test_without_a_tokenizer_no_tokens_are_counted(lake: Lake, docs: Path) -> None:
    given = curated(lake, [*rows(8), row(answer="word " * 600)])
    assert training_contract_step(given, SMALL, lake, None, docs).rows == 9


@pytest.mark.parametrize(
    ("limits", "facts", "says"),
    [
        ({}, {"rows_in": 100, "gone": {"answer_empty": 60}}, "contract.max_drop_share"),
        (
            {"max_drop_share_per_rule": 0.1},
            {"rows_in": 100, "gone": {"other_language": 11, "answer_empty": 10}},
            r"drop_share_other_language is at most 0\.1",
        ),
        (
            {"max_duplicate_share": 0.4},
            {"rows_in": 100, "gone": {"exact_duplicate": 41}},
            "contract.max_duplicate_share",
        ),
    ],
)
def test_too_many_rows_taken_out_by_earlier_steps_stop_the_run(
    limits: dict[str, Any],
    facts: dict[str, Any],
    says: str,
    lake: Lake,
    docs: Path,
    tokenizer: Path,
) -> None:
    strict = recipe(contract=ContractSection(min_rows=5, **limits))
    given = curated(lake, rows(8))
    with pytest.raises(ContractError, match=says):
        training_contract_step(given, strict, lake, tokenizer, docs, facts=facts)


def test_a_file_that_was_sent_again_does_not_count_as_dropped(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    facts = {"rows_in": 100, "gone": {"exact_duplicate": 80, "answer_empty": 5}}
    given = curated(lake, rows(8))
    contracted = training_contract_step(given, SMALL, lake, tokenizer, docs, facts=facts)
    verdict = json.loads((lake.path(contracted) / "contract.json").read_text(encoding="utf-8"))
    measures = verdict["curated_examples"]["measures"]
    assert (measures["drop_share"], measures["duplicate_share"]) == (0.05, 0.8)


def test_one_label_or_the_wrong_language_everywhere_stops_the_run(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    labelled = [
        row(f"Question {i}?", "Yes, it is.", tags=(("intent", "stock"),), language="en")
        for i in range(9)
    ]
    given = curated(lake, labelled)
    for limits, says in (
        ({"max_tag_share": {"intent": 0.5}}, r"tag_intent_largest_share is at most 0\.5"),
        ({"min_language_share": {"zh": 0.8}}, "80% of the rows are in zh"),
    ):
        strict = recipe(contract=ContractSection(min_rows=5, **limits))
        with pytest.raises(ContractError, match=says):
            training_contract_step(given, strict, lake, tokenizer, docs)


def test_drift_is_a_warning_unless_the_recipe_stops_there(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    measure = Measure("tokens", "psi", raw=0.6, by_chance=0.2, score=0.5, limit=0.25)
    report = DriftReport(500, 100, (measure,), 0.5, 0.4)
    given = curated(lake, rows(8))
    warned = training_contract_step(given, SMALL, lake, tokenizer, docs, drift=report)
    assert lake.manifest(warned)["warnings"] == 1
    strict = SMALL.model_copy(update={"drift": DriftSection(on_drift="stop")})
    with pytest.raises(ContractError, match=r"drift_tokens is at most 0\.25.*observed 0\.5"):
        training_contract_step(given, strict, lake, tokenizer, docs, drift=report)


def test_rows_that_break_expectations_of_the_recipe_are_set_aside(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    added: list[Any] = [
        {
            "on": "training_examples",
            "type": "expect_column_values_to_match_regex",
            "column": "answer",
            "regex": "number",
        },
        {
            "on": "training_examples",
            "type": "expect_column_values_to_be_between",
            "column": "tokens",
            "max_value": 3,
            "severity": "warning",
        },
        {
            "on": "curated_examples",
            "type": "expect_column_max_to_be_between",
            "column": "language_share_de",
            "max_value": 0.1,
        },
    ]
    adding = recipe(contract=ContractSection(min_rows=5, expectations=added))
    odd = row("Odd?", "Yes, odd indeed.", line=77)
    given = stored(lake, train=[*rows(20), odd], validation=[], evaluation=HELD_OUT)
    contracted = training_contract_step(given, adding, lake, tokenizer, docs)
    (away,) = gone(lake, contracted)
    assert away.record == odd
    assert away.reason == "expect_column_values_to_match_regex(answer)"


def test_unchanged_parts_are_the_same_bytes(lake: Lake, docs: Path) -> None:
    batch = stored(lake, records=rows(6))
    checked = raw_contract_step(batch, SMALL, lake, docs)
    before, after = (lake.path(ref) / "records" / "000000.parquet" for ref in (batch, checked))
    assert before.read_bytes() == after.read_bytes()
    assert not before.samefile(after)
    shutil.rmtree(lake.path(checked))
