"""All data steps in a row: done once, timed, and what earlier steps took out reaches contracts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from data_contracts.preparation import Preparation
from sluice.data.ingest import ingest_files
from sluice.data.intake.live import live_batches
from sluice.data.progress import Progress
from sluice.errors import ContractError
from sluice.lake import Lake
from sluice.recipe import ContractSection, Recipe
from sluice.refs import DatasetRef
from tests.unit.data.preparing import any_recipe
from tests.unit.data.rows import alpaca, distinct_lines, write_lines

pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations


def begun(
    folder: Path, lines: list[str], recipe: Recipe, told: list[Progress] | None = None
) -> tuple[Preparation, list[DatasetRef]]:
    """A preparation whose rows have been taken in."""
    lake = Lake(folder / "lake")
    tell = told.append if told is not None else lambda _: None
    steps = Preparation(recipe, folder, lake, folder / "docs", None, tell)
    path = write_lines(folder / "jan.jsonl", *lines)
    assert not ingest_files([path], lake, recipe.data, steps.engine).refused
    return steps, live_batches(lake, recipe.data, datetime.now(UTC))


def limits(**values: object) -> Recipe:
    return any_recipe(contract=ContractSection.model_validate({"min_rows": 5, **values}))


def test_a_second_time_nothing_is_done_and_the_trail_is_the_same(tmp_path: Path) -> None:
    told: list[Progress] = []
    steps, batches = begun(tmp_path, distinct_lines(30), limits(), told)
    first = steps.whole(batches)
    stages = {progress.stage for progress in told}
    assert stages >= {"clean", "compare", "split"}
    assert set(steps.seconds) == {
        *("check raw records", "clean", "compare", "split", "augment", "check training examples"),
    }
    before = len(told), len(list((steps.lake.root / "steps").iterdir()))
    assert steps.whole(batches) == first
    assert (len(told), len(list((steps.lake.root / "steps").iterdir()))) == before


def test_a_batch_of_which_too_much_was_dropped_stops(tmp_path: Path) -> None:
    short = [alpaca(f"Do you sell boat{i}?", "No.") for i in range(20)]
    steps, batches = begun(tmp_path, [*distinct_lines(30), *short], limits(max_drop_share=0.3))
    with pytest.raises(ContractError, match=r"drop_share.*observed 0\.4"):
        steps.whole(batches)
    assert (tmp_path / "docs" / "curated_examples" / "index.html").is_file()


def test_a_file_that_was_sent_twice_does_not_count_as_dropped(tmp_path: Path) -> None:
    twice = [*distinct_lines(20), *distinct_lines(20)]
    steps, batches = begun(tmp_path, twice, limits(max_drop_share=0.1))
    assert steps.whole(batches).contracted.rows > 10
    steps, batches = begun(tmp_path / "b", twice, limits(max_duplicate_share=0.1))
    with pytest.raises(ContractError, match=r"duplicate_share.*observed 0\.5"):
        steps.whole(batches)
