"""The cleaning step over the lake: done once, each row kept or gone with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.data.cleaned import clean_step
from sluice.data.cleaning.settings import CleanSettings
from sluice.data.compute import ThisProcess
from sluice.data.outcomes import Gone, gone_of
from sluice.data.parts import iterate, read_records
from sluice.lake import Lake
from sluice.recipe import CleaningSection
from sluice.refs import DatasetRef
from tests.unit.data.rows import recipe, row, stored, word_tokenizer


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def settings(tmp_path: Path) -> CleanSettings:
    return CleanSettings.of(recipe(), word_tokenizer(tmp_path / "base"))


def clean(checked: DatasetRef, settings: CleanSettings, lake: Lake) -> DatasetRef:
    return clean_step(checked, settings, lake, ThisProcess())


def gone(lake: Lake, ref: DatasetRef) -> list[Gone]:
    return [one for table in iterate(lake.path(ref) / "gone") for one in gone_of(table)]


def test_cleaning_leaves_kept_rows_and_each_drop_as_it_came_with_its_reason(
    lake: Lake, settings: CleanSettings
) -> None:
    many = " ".join(f"w{i}" for i in range(600))
    rows = [row("<b>Hello</b> you"), row(answer="Yes.", line=2), row(many, line=3)]
    cleaned = clean(stored(lake, *rows), settings, lake)
    lake.verify(cleaned)
    (kept,) = read_records(lake.path(cleaned) / "kept")
    assert (cleaned.rows, kept.question) == (1, "Hello you")
    assert kept.id != rows[0].id
    away = gone(lake, cleaned)
    assert [(one.record, one.fate, one.reason) for one in away] == [
        (rows[1], "dropped", "answer_too_short"),
        (rows[2], "dropped", "too_many_tokens"),
    ]
    facts = lake.manifest(cleaned)
    assert facts["gone"] == {"answer_too_short": 1, "too_many_tokens": 1}
    assert (facts["rows"], facts["kept"], facts["repaired"]) == (3, 1, {"html": 1})


def test_a_batch_of_which_nothing_is_left_is_a_batch_all_the_same(
    lake: Lake, settings: CleanSettings
) -> None:
    cleaned = clean(stored(lake, row(answer="")), settings, lake)
    assert cleaned.rows == 0
    assert [one.reason for one in gone(lake, cleaned)] == ["answer_empty"]


def test_a_changed_recipe_is_another_step_and_an_equal_one_is_not(
    lake: Lake, settings: CleanSettings
) -> None:
    checked = stored(lake, row(), row(answer="Yes, of course.", line=2))
    first = clean(checked, settings, lake)
    steps = len(list((lake.root / "steps").iterdir()))
    assert clean(checked, settings, lake) == first
    assert len(list((lake.root / "steps").iterdir())) == steps
    stricter = CleanSettings(cleaning=CleaningSection(min_answer_chars=20))
    assert clean(checked, stricter, lake).rows == 1
