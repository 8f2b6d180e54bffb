"""The data steps over the lake: done once, the same digest each time, every row accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.data.curate import clean_step, read_split, split_step
from sluice.data.json_lines import read_json_lines
from sluice.data.reading import read_alpaca
from sluice.data.record import Record, read_records
from sluice.errors import BatchError
from sluice.lake import Lake
from sluice.recipe import CleaningSection, DataSection
from tests.unit.data.rows import (
    alpaca,
    distinct_lines,
    recipe,
    row,
    stored,
    word_tokenizer,
    write_lines,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    return word_tokenizer(tmp_path / "base")


def rows_of(folder: Path, *lines: str) -> tuple[Record, ...]:
    return read_alpaca(write_lines(folder / "jan.jsonl", *lines)).records


def test_cleaning_leaves_kept_rows_and_each_drop_with_reason_and_text(
    lake: Lake, tokenizer: Path
) -> None:
    rows = [row("<b>Hello</b> you"), row(answer="Yes.", line=2), row("x " * 600, line=3)]
    cleaned = clean_step(stored(lake, *rows), recipe(), lake, tokenizer)
    lake.verify(cleaned)
    (kept,) = read_records(lake.path(cleaned) / "records.parquet")
    assert (cleaned.rows, kept.question) == (1, "Hello you")
    drops = read_json_lines(lake.path(cleaned) / "dropped.jsonl")
    assert [(d["line"], d["reason"]) for d in drops] == [
        (2, "answer_too_short"),
        (3, "too_many_tokens"),
    ]
    assert drops[0]["messages"][1] == ["assistant", "Yes."]
    assert read_records(lake.path(cleaned) / "dropped.parquet") == rows[1:]
    assert lake.manifest(cleaned)["dropped"] == {"answer_too_short": 1, "too_many_tokens": 1}


def test_nothing_left_after_cleaning_stops_the_run_each_time(lake: Lake, tokenizer: Path) -> None:
    checked = stored(lake, row(answer=""))
    for _ in range(2):
        with pytest.raises(BatchError, match=r"all 1 rows \(answer_empty 1\)"):
            clean_step(checked, recipe(), lake, tokenizer)


def test_a_changed_cleaning_recipe_is_another_step_and_an_equal_one_is_not(
    lake: Lake, tokenizer: Path
) -> None:
    checked = stored(lake, row(), row(answer="Yes, of course.", line=2))
    first = clean_step(checked, recipe(), lake, tokenizer)
    steps = len(list((lake.root / "steps").iterdir()))
    assert clean_step(checked, recipe(), lake, tokenizer) == first
    assert len(list((lake.root / "steps").iterdir())) == steps
    stricter = recipe(cleaning=CleaningSection(min_answer_chars=20))
    assert clean_step(checked, stricter, lake, tokenizer).rows == 1


def test_the_split_keeps_copies_of_the_held_out_file_away_and_lists_them(
    tmp_path: Path, lake: Lake, tokenizer: Path
) -> None:
    write_lines(
        tmp_path / "evaluation.jsonl",
        alpaca("<p>tent3 size3 in colour3?</p>", "Held out answer."),
        alpaca("Too short?", "No."),
    )
    checked = stored(lake, *rows_of(tmp_path, *distinct_lines(40)))
    cleaned = clean_step(checked, recipe(), lake, tokenizer)
    curated = split_step(cleaned, recipe(), tmp_path, lake, tokenizer)
    folder = lake.path(curated)
    train, validation = read_split(folder, "train"), read_split(folder, "validation")
    assert curated.rows == len(train)
    assert len(train) + len(validation) == 39
    (judged,) = read_split(folder, "evaluation")
    assert judged.question == "tent3 size3 in colour3?"
    gone = read_json_lines(folder / "removed.jsonl")
    assert [(g["source"], g["line"], g["reason"]) for g in gone] == [
        ("jan.jsonl", 4, "near_evaluation_question"),
        ("evaluation.jsonl", 2, "answer_too_short"),
    ]
    assert gone[0]["evaluation_id"] == judged.id
    assert lake.manifest(curated)["removed"] == {"near_evaluation_question": 1}


def test_the_same_input_gives_the_same_digests_in_another_lake(
    tmp_path: Path, tokenizer: Path
) -> None:
    write_lines(tmp_path / "evaluation.jsonl", alpaca("Held out?", "Held out answer."))
    rows = rows_of(tmp_path, *distinct_lines(30))
    digests: list[str] = []
    for name in ("one", "two"):
        lake = Lake(tmp_path / name)
        cleaned = clean_step(stored(lake, *rows), recipe(), lake, tokenizer)
        digests.append(split_step(cleaned, recipe(), tmp_path, lake, tokenizer).digest)
    assert digests[0] == digests[1]


def test_a_changed_held_out_file_gives_another_split(
    tmp_path: Path, lake: Lake, tokenizer: Path
) -> None:
    cleaned = stored(lake, *rows_of(tmp_path, *distinct_lines(30)), area="cleaned")
    digests: set[str] = set()
    for question in ("Held out?", "Something else?"):
        write_lines(tmp_path / "evaluation.jsonl", alpaca(question, "Held out answer."))
        digests.add(split_step(cleaned, recipe(), tmp_path, lake, tokenizer).digest)
    assert len(digests) == 2


def test_a_held_out_file_that_is_missing_or_broken_is_an_error(
    tmp_path: Path, lake: Lake, tokenizer: Path
) -> None:
    cleaned = stored(lake, row(), area="cleaned")
    with pytest.raises(BatchError, match="does not exist"):
        split_step(cleaned, recipe(), tmp_path, lake, tokenizer)
    write_lines(tmp_path / "evaluation.jsonl", alpaca("Held out?", "Held out answer."), "{")
    with pytest.raises(BatchError, match=r"evaluation\.jsonl:2 not_json"):
        split_step(cleaned, recipe(), tmp_path, lake, tokenizer)


def test_a_side_without_rows_stops_the_run(tmp_path: Path, lake: Lake, tokenizer: Path) -> None:
    write_lines(tmp_path / "evaluation.jsonl", alpaca("Do you sell tents?", "Held out answer."))
    cleaned = stored(lake, row(), area="cleaned")
    with pytest.raises(BatchError, match="No row is left to train on"):
        split_step(cleaned, recipe(), tmp_path, lake, tokenizer)
    tiny_share = recipe(data=DataSection(evaluation_share=1e-9, validation_share=0))
    with pytest.raises(BatchError, match="No row is left to evaluate on"):
        split_step(cleaned, tiny_share, tmp_path, lake, tokenizer)
