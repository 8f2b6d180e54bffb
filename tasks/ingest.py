"""Take in files that were not seen before."""

from __future__ import annotations

from pathlib import Path

from prefect import get_run_logger

from sluice.data.ingest import ingest_file, snapshots, unseen_files
from sluice.errors import BatchError
from sluice.refs import DatasetRef
from tasks.job import Job, job_task


def _describe(found: tuple[DatasetRef, ...]) -> str:
    return f"{sum(ref.rows for ref in found)} readable rows in {len(found)} batches"


@job_task("ingest", _describe)
def ingest(job: Job, batch: list[str] | None) -> tuple[DatasetRef, ...]:
    """Ingest the named files, or what is new in the landing folder; returns all batches so far.

    Raises:
        BatchError: a named file is refused, or every new file in the landing folder is.
    """
    landing = job.recipe.data.landing or job.home.landing
    files = [Path(name) for name in batch] if batch else unseen_files(landing, job.lake)
    refused: list[BatchError] = []
    for file in files:
        try:
            ingest_file(file, job.lake, max_reject_share=job.recipe.data.max_reject_share)
        except BatchError as error:
            refused.append(error)
    if refused and (batch or len(refused) == len(files)):
        raise BatchError(f"{refused[0]} Or move it out of {landing}." if not batch else refused[0])
    for error in refused:  # the good ones shall not wait for it; it is told again at each run
        get_run_logger().error("%s It was left out.", error)
    return tuple(snapshots(job.lake))
