"""The funnel: each stage is the one before it less those that left there, for the reasons told."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from sluice.data.funnel import gone_reasons, told_reasons
from sluice.data.parts import count_rows
from sluice.recipe import PoisoningSection
from tests.unit.data.preparing import any_recipe, prepare
from tests.unit.data.rows import alpaca, distinct_lines, write_lines

pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations


def test_stages_add_up_from_the_lines_of_the_files_to_the_rows_that_train(tmp_path: Path) -> None:
    jan = write_lines(
        tmp_path / "jan.jsonl",
        *distinct_lines(40),
        *distinct_lines(2),
        "{",
        alpaca("Do you sell boats?", "No."),
        alpaca("When is it open?", "From 9 to 5, all week."),
        alpaca("When is it open?", "From 10 to 6, all week."),
    )
    feb = write_lines(tmp_path / "feb.jsonl", *distinct_lines(10, "boat"), "[]")
    recipe = any_recipe(
        data={"evaluation_share": 0.3, "max_evaluation_rows": 3, "validation_share": 0.2},
        poisoning=PoisoningSection(max_source_share=0.75),
    )
    outcome = prepare(tmp_path / "run", [jan, feb], recipe)
    stages = {stage.name: stage for stage in outcome.stages}
    for before, after in pairwise(outcome.stages):
        assert before.rows - sum(rows for _, rows in after.reasons) == after.rows, after
        assert after.added == 0
    assert stages["lines read"].rows == 57
    assert dict(stages["readable rows"].reasons) == {"not_an_object": 1, "not_json": 1}
    assert dict(stages["cleaned"].reasons) == {"answer_too_short": 1}
    assert dict(stages["compared"].reasons) == {
        "conflicting_answers": 2,
        "exact_duplicate": 2,
        "source_over_cap": 10,
    }
    apart = dict(stages["not in evaluation"].reasons)
    assert apart["chosen_for_evaluation"] == 3
    assert apart["evaluation_reserve"] > 0
    folder = outcome.lake.path(outcome.trail.contracted)
    assert stages["trained on"].rows == count_rows(folder / "train")
    assert dict(stages["trained on"].reasons) == {"validation": count_rows(folder / "validation")}
    reasons = gone_reasons([outcome.trail.compared], outcome.lake)
    assert reasons == dict(stages["compared"].reasons)


def test_reasons_are_told_in_one_line() -> None:
    assert told_reasons({"answer_empty": 3, "other_language": 1}) == (
        "answer_empty 3, other_language 1"
    )
    assert told_reasons({}) == "none came in"
