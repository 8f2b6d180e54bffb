"""Take in what was not seen before, from the landing folder and all other sources."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prefect import get_run_logger

from sluice.data.compute import engine_of
from sluice.data.ingest import Intake, ingest_files, ingest_new
from sluice.data.intake.live import live_batches
from sluice.errors import BatchError
from sluice.freshness import data_of, shelves_of
from sluice.recipe.data import LANDING
from sluice.refs import DatasetRef
from tasks.job import Job, job_task


def _describe(_: Job, found: tuple[DatasetRef, ...]) -> str:
    return f"{sum(ref.rows for ref in found)} readable rows in {len(found)} batches"


@job_task("ingest", _describe)
def ingest(job: Job, batch: list[str] | None) -> tuple[DatasetRef, ...]:
    """Ingest the named files, or whatever is new; returns all batches that count now.

    Raises:
        BatchError: a named file is refused, or all that is new is.
    """
    data, engine = data_of(job.home, job.recipe), engine_of(job.recipe.compute)
    if batch:
        intake = ingest_files([Path(name) for name in batch], job.lake, data, engine)
    else:
        intake = ingest_new(
            job.lake,
            data,
            shelves_of(job.home, job.recipe),
            engine,
            settle_seconds=job.recipe.schedule.settle_seconds,
        )
    if intake.refused and (batch or not intake.taken):
        raise _refusal(job, intake, named=bool(batch))
    _tell(intake)
    return tuple(live_batches(job.lake, data, datetime.now(UTC)))


def _refusal(job: Job, intake: Intake, *, named: bool) -> BatchError:
    first = intake.refused[0]
    if named or first.source != LANDING:
        return first.error
    landing = job.recipe.data.landing or job.home.landing
    return BatchError(f"{first.error} Or move it out of {landing}.")


def _tell(intake: Intake) -> None:
    log = get_run_logger()
    for taken in intake.taken:
        log.info("%s", taken.told)
    for name in intake.waiting:
        log.warning("%s is still being written. It waits for the next run.", name)
    for refused in intake.refused:  # the good ones shall not wait for it; it is told at each run
        log.error("%s It was left out.", refused.error)
