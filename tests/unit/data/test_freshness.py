"""Is there anything new: what decides a verdict, how soon it is told, and what a change has done
again."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sluice.data.compute import ThisProcess
from sluice.data.ingest import ingest_new
from sluice.data.intake import stamps
from sluice.data.intake.live import live_batches
from sluice.data.intake.withdrawal import withdraw
from sluice.freshness import nothing_new, run_key, section_digests, shelves_of, what_changed
from sluice.home import Home
from sluice.lake import read_json, write_json
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe
from sluice.run_record import RunRecord, find_record, new_record
from tests.unit.data.rows import alpaca, write_lines

RECIPE = """
model: {name: shop, base: ./base}
data: {evaluation: evaluation.jsonl, guards: [guard.jsonl]}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    write_lines(tmp_path / "evaluation.jsonl", alpaca("e?", "f"))
    write_lines(tmp_path / "guard.jsonl", alpaca("g?", "h"))
    home = Home(tmp_path / "home")
    write_lines(home.landing / "jan.jsonl", alpaca("a?", "b"))
    return home


def recipe(home: Home, **sections: Any) -> Recipe:
    path = home.root.parent / "recipe.yaml"
    path.write_text(RECIPE)
    loaded = load_recipe(path)
    values = loaded.model_dump()
    for name, changes in sections.items():
        values[name] = {**values[name], **changes}
    return Recipe.model_validate(values)


def key_of(home: Home, wanted: Recipe) -> str:
    return run_key(wanted, live_batches(home.lake, wanted.data, datetime.now(UTC)))


def judged(home: Home, wanted: Recipe) -> RunRecord:
    """A run that took in what there is, and ended with a verdict."""
    ingest_new(home.lake, wanted.data, shelves_of(home, wanted), ThisProcess(), settle_seconds=0)
    record = new_record("shop", None)
    record = replace(record, key=key_of(home, wanted), sections=section_digests(wanted))
    return record.ended("rejected by gate", "").save(home.runs)


def test_nothing_is_new_after_a_verdict_until_something_lands(home: Home) -> None:
    wanted = recipe(home)
    assert nothing_new(home, wanted, None) is None
    record = judged(home, wanted)
    reason = nothing_new(home, wanted, None)
    assert reason is not None
    assert f"run {record.run_id} judged the same 1 batches" in reason
    write_lines(home.landing / "feb.jsonl", alpaca("c?", "d"))
    assert nothing_new(home, wanted, None) is None


def test_a_file_named_by_hand_is_new_until_it_was_taken_in(home: Home) -> None:
    wanted = recipe(home)
    judged(home, wanted)
    assert nothing_new(home, wanted, [home.landing / "jan.jsonl"]) is not None
    other = write_lines(home.root / "feb.jsonl", alpaca("c?", "d"))
    assert nothing_new(home, wanted, [other]) is None


@pytest.mark.parametrize("file", ["evaluation.jsonl", "guard.jsonl"])
def test_other_held_out_rows_need_another_verdict(home: Home, file: str) -> None:
    wanted = recipe(home)
    judged(home, wanted)
    write_lines(home.root.parent / file, alpaca("other?", "f"))
    assert nothing_new(home, wanted, None) is None


@pytest.mark.parametrize(
    ("sections", "another"),
    [
        ({"cleaning": {"min_answer_chars": 1}}, True),
        ({"data": {"near_duplicate": 0.9}}, True),
        ({"data": {"validation_share": 0.2}}, True),
        ({"training": {"epochs": 9}}, True),
        ({"gate": {"min_rows": 9}}, True),
        ({"serving": {"max_new_tokens": 9}}, False),
        ({"schedule": {"settle_seconds": 9}}, False),
        ({"approval": {"expires_hours": 9}}, False),
        ({"compute": {"workers": 1}}, False),
        ({"data": {"window": {"batches": 3}}}, False),
        ({"data": {"max_reject_share": 0.5}}, False),
    ],
)
def test_only_what_judges_needs_another_verdict(
    home: Home, sections: dict[str, Any], another: bool
) -> None:
    wanted = recipe(home)
    judged(home, wanted)
    changed = recipe(home, **sections)
    assert (key_of(home, changed) != key_of(home, wanted)) == another


def test_a_recipe_that_lies_elsewhere_judges_the_same(home: Home, tmp_path: Path) -> None:
    wanted = recipe(home)
    judged(home, wanted)
    before = key_of(home, wanted)
    moved = home.root.parent / "moved"
    moved.mkdir()
    for name in ("evaluation.jsonl", "guard.jsonl", "recipe.yaml"):
        (home.root.parent / name).rename(moved / name)
    assert key_of(home, load_recipe(moved / "recipe.yaml")) == before


def test_a_withdrawn_batch_and_a_smaller_window_need_another_verdict(home: Home) -> None:
    write_lines(home.landing / "feb.jsonl", alpaca("c?", "d"))
    wanted = recipe(home)
    judged(home, wanted)
    windowed = recipe(home, data={"window": {"batches": 1}})
    assert nothing_new(home, windowed, None) is None
    first, _ = live_batches(home.lake, wanted.data, datetime.now(UTC))
    withdraw(home.lake, first.digest, "Ann", "")
    assert nothing_new(home, wanted, None) is None


def test_what_only_a_database_could_tell_is_left_to_the_run(home: Home) -> None:
    source = {"name": "db", "query": "select 1", "database": "sqlite://"}
    plain = recipe(home)
    judged(home, plain)
    assert nothing_new(home, recipe(home, data={"sources": [source]}), None) is None


def test_a_large_landing_folder_that_did_not_change_is_told_at_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stamps, "TICK_SECONDS", 0.0)
    for number in range(60):
        write_lines(home.landing / f"{number:03d}.jsonl", alpaca(f"q{number}?", "b"))
    wanted = recipe(home)
    judged(home, wanted)
    monkeypatch.setattr(stamps, "file_digest", lambda _: pytest.fail("a file was read again"))
    start = time.monotonic()
    assert nothing_new(home, wanted, None) is not None
    assert time.monotonic() - start < 0.5


def test_a_change_of_the_cleaning_rules_says_what_is_done_again(home: Home) -> None:
    write_lines(home.landing / "feb.jsonl", alpaca("c?", "d"))
    wanted = recipe(home)
    assert what_changed(home, wanted, "k") is None
    record = judged(home, wanted)
    changed = recipe(home, cleaning={"min_answer_chars": 1})
    assert what_changed(home, changed, key_of(home, changed)) == (
        f"the cleaning rules changed since run {record.run_id}, so all 2 batches are cleaned again"
    )
    both = recipe(home, cleaning={"min_answer_chars": 1}, gate={"min_rows": 9})
    told = what_changed(home, both, key_of(home, both))
    assert told is not None
    assert told.endswith(
        f"; the gate's rules changed since run {record.run_id}, so the verdict is given again"
    )


def test_nothing_is_said_where_only_the_data_changed(home: Home) -> None:
    wanted = recipe(home)
    judged(home, wanted)
    write_lines(home.landing / "feb.jsonl", alpaca("c?", "d"))
    ingest_new(home.lake, wanted.data, shelves_of(home, wanted), ThisProcess(), settle_seconds=0)
    assert what_changed(home, wanted, key_of(home, wanted)) is None


def test_other_held_out_rows_are_told_too(home: Home) -> None:
    wanted = recipe(home)
    judged(home, wanted)
    write_lines(home.root.parent / "guard.jsonl", alpaca("other?", "f"))
    assert "the held-out rows changed" in str(what_changed(home, wanted, key_of(home, wanted)))


def test_a_record_of_before_the_sections_were_kept_is_read_and_says_nothing(home: Home) -> None:
    wanted = recipe(home)
    record = judged(home, wanted)
    fields = read_json(record.path(home.runs))
    del fields["sections"]
    write_json(record.path(home.runs), fields)
    assert find_record(home.runs, record.run_id) == replace(record, sections={})
    changed = recipe(home, cleaning={"min_answer_chars": 1})
    assert what_changed(home, changed, key_of(home, changed)) is None
