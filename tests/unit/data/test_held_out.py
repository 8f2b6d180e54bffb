"""Held-out rows: read whole in any form, cleaned as training rows are, and told apart from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.data.held_out import HeldOut, read_held_out
from sluice.data.outcomes import HELD_OUT
from sluice.errors import BatchError
from sluice.recipe import DataSection, MappingSection
from tests.unit.data.rows import SETTINGS, alpaca, write_lines

EVALUATION = Path("evaluation.jsonl")


def read(folder: Path, **section: object) -> HeldOut:
    data = DataSection.model_validate({"evaluation": EVALUATION, **section})
    return read_held_out(data, folder, SETTINGS)


def test_held_out_rows_are_cleaned_and_what_cleaning_takes_is_kept_beside_them(
    tmp_path: Path,
) -> None:
    write_lines(
        tmp_path / EVALUATION,
        alpaca("<p>How big is the tent?</p>", "It sleeps four people."),
        alpaca("Too short?", "No."),
    )
    found = read(tmp_path)
    (judged,) = found.evaluation
    assert judged.question == "How big is the tent?"
    assert judged.source == f"{HELD_OUT}evaluation.jsonl"
    assert [(one.record.line, one.reason) for one in found.gone] == [(2, "answer_too_short")]
    assert found.guards == ()


def test_guard_files_are_kept_away_from_training_too_and_nothing_is_judged_by_them(
    tmp_path: Path,
) -> None:
    write_lines(tmp_path / EVALUATION, alpaca("Do you deliver?", "Within two days."))
    write_lines(tmp_path / "guard.csv", "prompt,completion", "Guarded?,This one is kept away.")
    found = read(tmp_path, guards=("guard.csv",))
    assert [row.question for row in found.evaluation] == ["Do you deliver?"]
    assert [row.question for row in found.guards] == ["Guarded?"]


def test_the_landing_folders_templates_read_held_out_rows_too(tmp_path: Path) -> None:
    write_lines(tmp_path / EVALUATION, json.dumps({"ask": "What is it?", "say": "A stove, I say."}))
    mapping = MappingSection(instruction="{ask}", output="{say}")
    (judged,) = read(tmp_path, mapping=mapping).evaluation
    assert (judged.question, judged.answer) == ("What is it?", "A stove, I say.")


def test_without_a_file_nothing_is_held_out(tmp_path: Path) -> None:
    found = read(tmp_path, evaluation=None, evaluation_share=0.1)
    assert found == HeldOut((), (), ())


def test_a_held_out_file_that_is_missing_or_broken_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        BatchError, match=r"held-out file evaluation\.jsonl does not exist.*recipe's"
    ):
        read(tmp_path)
    write_lines(tmp_path / EVALUATION, alpaca("Do you deliver?", "Within two days."), "{")
    with pytest.raises(BatchError, match=r"has 1 unreadable lines: evaluation\.jsonl:2 not_json"):
        read(tmp_path)
