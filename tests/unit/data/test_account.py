"""The account: four files, each with id, source, line and reason, of exactly the rows that came."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest

from sluice.data.account import OUTCOMES
from sluice.data.parts import read_records
from sluice.recipe import CleaningSection, PrivacySection
from tests.unit.data.preparing import Outcome, any_recipe, prepare
from tests.unit.data.rows import alpaca, distinct_lines, write_lines

pq = pyarrow.parquet

pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("account")
    write_lines(
        folder / "evaluation.jsonl",
        alpaca("Do you deliver?", "Within two days."),
        alpaca("Which key is it?", "It is AKIAIOSFODNN7EXAMPLE, as always."),
        alpaca("Too short?", "No."),
    )
    jan = write_lines(
        folder / "jan.jsonl",
        *distinct_lines(20),
        "{",
        alpaca("Do you sell boats?", "No."),
        alpaca("Which key opens the shed?", "It is AKIAIOSFODNN7EXAMPLE, as always."),
    )
    feb = write_lines(folder / "feb.jsonl", *distinct_lines(3), *distinct_lines(20, "boat"))
    recipe = any_recipe(
        data={"evaluation": folder / "evaluation.jsonl", "evaluation_share": 0.2},
        privacy=PrivacySection(secret="quarantine"),
    )
    return prepare(folder, [jan, feb], recipe)


def test_each_file_has_id_source_line_and_reason(outcome: Outcome) -> None:
    for name in OUTCOMES:
        table = pq.read_table(outcome.folder / f"{name}.parquet")
        assert {"id", "source", "line", "reason"} <= set(table.schema.names)
        for column in ("id", "source", "line", "reason"):
            assert table.column(column).null_count == 0
    assert sorted(p.name for p in outcome.folder.iterdir()) == [f"{n}.parquet" for n in OUTCOMES]


def test_counts_by_reason_are_those_of_the_files(outcome: Outcome) -> None:
    for name in OUTCOMES:
        reasons = [row["reason"] for row in outcome.rows(name)]
        assert outcome.account[name] == {r: reasons.count(r) for r in sorted(set(reasons))}


def test_every_row_that_came_in_is_there_and_no_row_that_was_held_out(outcome: Outcome) -> None:
    expected = {("jan.jsonl", i) for i in range(1, 24)} | {("feb.jsonl", i) for i in range(1, 24)}
    fates = outcome.fates()
    assert set(fates) == expected
    assert fates["jan.jsonl", 21] == ("rejected", "not_json")
    assert fates["jan.jsonl", 22] == ("dropped", "answer_too_short")
    assert fates["jan.jsonl", 23] == ("quarantined", "private_secret")
    # feb.jsonl comes before jan.jsonl, so its rows are the ones that stay.
    assert [fates["jan.jsonl", i] for i in (1, 2, 3)] == [("dropped", "exact_duplicate")] * 3
    held_out = read_records(outcome.lake.path(outcome.trail.contracted) / "evaluation")
    assert any(row.source.startswith("held-out/") for row in held_out)


def test_curated_rows_are_those_that_train_and_are_judged_by(outcome: Outcome) -> None:
    folder = outcome.lake.path(outcome.trail.contracted)
    for side in ("train", "validation", "evaluation"):
        there = [
            (row.source, row.line)
            for row in read_records(folder / side)
            if not row.source.startswith("held-out/")
        ]
        told = [
            (row["source"], row["line"]) for row in outcome.rows("curated") if row["reason"] == side
        ]
        assert told == there
    assert set(outcome.account["curated"]) >= {"train", "evaluation"}


def test_gone_rows_can_be_read_back_as_they_came_and_rejects_quote_nothing(
    outcome: Outcome,
) -> None:
    (waiting,) = outcome.rows("quarantined")
    assert "AKIAIOSFODNN7EXAMPLE" in waiting["messages"][1]["content"]
    assert "AKIA" not in waiting["detail"]
    (reject,) = outcome.rows("rejected")
    assert reject["byte_offset"] == sum(
        len(line) + 1 for line in map(str.encode, distinct_lines(20))
    )
    assert "messages" not in reject


def test_files_without_rows_are_there_all_the_same(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "jan.jsonl", *distinct_lines(30))
    recipe = any_recipe(cleaning=CleaningSection(min_answer_chars=0))
    outcome = prepare(tmp_path / "run", [path], recipe, contracts=False)
    assert outcome.account["rejected"] == outcome.account["dropped"] == {}
    assert [len(outcome.rows(name)) for name in OUTCOMES] == [30, 0, 0, 0]
