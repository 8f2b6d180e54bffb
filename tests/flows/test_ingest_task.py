"""The ingest task: what is refused does not stop the rest, and everything is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.errors import BatchError
from sluice.home import Home
from sluice.recipe import DataSection, ModelSection, Recipe, ScheduleSection
from sluice.run_record import new_record
from tests.unit.data.rows import alpaca, write_lines

pytestmark = pytest.mark.filterwarnings("default")  # of Prefect's import


@pytest.fixture
def job(tmp_path: Path) -> Any:
    from tasks.job import Job

    home = Home(tmp_path / "home")
    recipe = Recipe(
        model=ModelSection(name="shop", base="./base"),
        data=DataSection(evaluation_share=0.1),
        schedule=ScheduleSection(settle_seconds=0),
    )
    record = new_record("shop", None).save(home.runs)
    return Job(recipe, tmp_path / "recipe.yaml", home, record.run_id)


def ingest(job: Any, batch: list[str] | None = None) -> Any:
    from prefect.logging import disable_run_logger

    import tasks.ingest

    with disable_run_logger():
        return tasks.ingest.ingest.fn(job, batch)


def test_all_that_is_new_is_taken_in_and_noted(job: Any) -> None:
    write_lines(job.home.landing / "jan.jsonl", alpaca("a?", "b"))
    write_lines(job.home.landing / "feb.jsonl", alpaca("c?", "d"))
    batches = ingest(job)
    assert [ref.rows for ref in batches] == [1, 1]
    assert job.record.steps[0].detail == "2 readable rows in 2 batches"
    assert ingest(job) == batches


def test_a_refused_file_is_told_and_the_rest_goes_on(job: Any) -> None:
    write_lines(job.home.landing / "jan.jsonl", alpaca("a?", "b"))
    write_lines(job.home.landing / "bad.jsonl", "{")
    assert len(ingest(job)) == 1
    with pytest.raises(BatchError, match=r"bad\.jsonl.*Or move it out of .*landing"):
        ingest(job)  # now it is all that is new


def test_a_named_file_is_all_that_is_taken_in(job: Any, tmp_path: Path) -> None:
    write_lines(job.home.landing / "jan.jsonl", alpaca("a?", "b"))
    named = write_lines(tmp_path / "feb.jsonl", alpaca("c?", "d"))
    (ref,) = ingest(job, [str(named)])
    assert job.lake.manifest(ref)["source"] == "feb.jsonl"
    with pytest.raises(BatchError, match=r"raise data\.max_reject_share on purpose\.$"):
        ingest(job, [str(write_lines(tmp_path / "bad.jsonl", "{"))])
