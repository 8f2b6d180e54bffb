"""The contract steps over the lake: what passes, what is set aside, and that docs stay outside."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.steps import raw_contract_step, training_contract_step
from sluice.data.curate import read_split
from sluice.data.ingest import ingest_file
from sluice.data.json_lines import read_json_lines
from sluice.data.record import Record, read_records, write_records
from sluice.errors import BatchError, ContractError
from sluice.lake import Lake
from sluice.recipe import CleaningSection, ContractSection, Recipe
from sluice.refs import DatasetRef
from tests.unit.data.rows import (
    distinct_lines,
    recipe,
    row,
    stored,
    word_tokenizer,
    write_lines,
)

SMALL = recipe(contract=ContractSection(min_rows=5))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return tmp_path / "run" / "data_docs"


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    return word_tokenizer(tmp_path / "base")


def examples(count: int) -> list[Record]:
    return [row(f"Question {i}?", f"Answer number {i}.", line=i) for i in range(1, count + 1)]


def curated(lake: Lake, train: list[Record], evaluation: list[Record]) -> DatasetRef:
    with lake.aside() as folder:
        write_records(folder / "train.parquet", train)
        write_records(folder / "validation.parquet", [row("Valid?", "Yes, valid.", line=900)])
        write_records(folder / "evaluation.parquet", evaluation)
        return lake.commit(
            folder, "curated", "test", lambda uri, digest: DatasetRef(uri, digest, len(train))
        )


HELD_OUT = [row("Held out?", "Yes, held out.", source="evaluation.jsonl")]


def test_no_snapshots_is_an_error(lake: Lake, docs: Path) -> None:
    with pytest.raises(BatchError, match="no data yet"):
        raw_contract_step([], SMALL, lake, docs)


def test_snapshots_are_combined_in_their_order_and_misshapen_rows_set_aside(
    tmp_path: Path, lake: Lake, docs: Path
) -> None:
    january = write_lines(tmp_path / "jan.jsonl", *distinct_lines(20))
    odd = Record("0" * 16, row().messages[:1], "feb.jsonl", 7)
    snapshots = [
        ingest_file(january, lake, max_reject_share=0),
        stored(lake, row("二月？", "是的，二月。", source="feb.jsonl"), odd, area="raw"),
    ]
    checked = raw_contract_step(snapshots, SMALL, lake, docs)
    lake.verify(checked)
    kept = read_records(lake.path(checked) / "records.parquet")
    assert checked.rows == 21
    assert [kept[0].source, kept[20].source] == ["jan.jsonl", "feb.jsonl"]
    (away,) = read_json_lines(lake.path(checked) / "quarantined.jsonl")
    assert (away["id"], away["source"], away["line"]) == (odd.id, "feb.jsonl", 7)
    assert away["expectation"] in away["all_expectations"]
    assert "expect_column_values_to_match_regex(roles)" in away["all_expectations"]
    assert "messages" not in away
    assert read_records(lake.path(checked) / "quarantined.parquet") == [odd]
    assert (docs / "raw_records" / "index.html").exists()


def test_the_folder_has_no_docs_and_the_same_digest_each_time(tmp_path: Path) -> None:
    refs: set[DatasetRef] = set()
    for name in ("one", "two"):
        lake = Lake(tmp_path / name)
        snapshot = stored(lake, *examples(6), area="raw")
        checked = raw_contract_step([snapshot], SMALL, lake, tmp_path / f"docs-{name}")
        refs.add(checked)
        assert not list(lake.path(checked).rglob("*.html"))
    assert len(refs) == 1


def test_a_step_done_before_brings_its_docs_to_the_new_run(
    tmp_path: Path, lake: Lake, docs: Path
) -> None:
    snapshot = stored(lake, *examples(6), area="raw")
    first = raw_contract_step([snapshot], SMALL, lake, docs)
    again = tmp_path / "second-run"
    assert raw_contract_step([snapshot], SMALL, lake, again) == first
    assert (again / "raw_records" / "index.html").exists()


def test_training_rows_pass_with_their_splits(lake: Lake, docs: Path, tokenizer: Path) -> None:
    given = curated(lake, examples(8), HELD_OUT)
    contracted = training_contract_step(given, SMALL, lake, tokenizer, docs)
    lake.verify(contracted)
    assert contracted.rows == 8
    assert read_split(lake.path(contracted), "train") == examples(8)
    assert len(read_split(lake.path(contracted), "validation")) == 1
    assert read_split(lake.path(contracted), "evaluation") == HELD_OUT
    assert (docs / "training_examples" / "index.html").exists()


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
    given = curated(lake, [*examples(20), bad], HELD_OUT)
    contracted = training_contract_step(given, SMALL, lake, tokenizer, docs)
    assert read_split(lake.path(contracted), "train") == examples(20)
    assert read_records(lake.path(contracted) / "quarantined.parquet") == [bad]


def test_rows_that_occur_twice_are_quarantined_unless_the_recipe_keeps_duplicates(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    given = curated(lake, [*examples(30), *examples(1)], HELD_OUT)
    assert training_contract_step(given, SMALL, lake, tokenizer, docs).rows == 29
    keeping = SMALL.model_copy(update={"cleaning": CleaningSection(drop_duplicates=False)})
    assert training_contract_step(given, keeping, lake, tokenizer, docs).rows == 31


@pytest.mark.parametrize(
    ("train", "evaluation", "says"),
    [
        (examples(4), HELD_OUT, r"at least 5 rows to train on.*observed 4"),
        (examples(8), [], r"there are rows to evaluate on.*observed 0"),
        (examples(8), [row("question  3?", "Something else.")], r"also an evaluation question"),
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
    assert (docs / "training_examples" / "index.html").exists()
    assert not (lake.root / "contracted").exists()


def test_too_few_rows_after_quarantine_stop_the_run(
    lake: Lake, docs: Path, tokenizer: Path
) -> None:
    lenient = Recipe(
        **{**dict(SMALL), "contract": ContractSection(min_rows=5, max_quarantined_share=0.5)}
    )
    given = curated(lake, [*examples(4), row(answer=" ")], HELD_OUT)
    with pytest.raises(ContractError, match="4 train rows are left after quarantine"):
        training_contract_step(given, lenient, lake, tokenizer, docs)
