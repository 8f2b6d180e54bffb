"""Take in files that were not seen before."""

from __future__ import annotations

from pathlib import Path

from sluice.data.ingest import ingest_file, snapshots, unseen_files
from sluice.refs import DatasetRef
from tasks.job import Job, job_task


def _describe(found: tuple[DatasetRef, ...]) -> str:
    return f"{sum(ref.rows for ref in found)} readable rows in {len(found)} batches"


@job_task("ingest", _describe)
def ingest(job: Job, batch: list[str] | None) -> tuple[DatasetRef, ...]:
    """Ingest the named files, or what is new in the landing folder; returns all batches so far."""
    landing = job.recipe.data.landing or job.home.landing
    files = [Path(name) for name in batch] if batch else unseen_files(landing, job.lake)
    for file in files:
        ingest_file(file, job.lake, max_reject_share=job.recipe.data.max_reject_share)
    return tuple(snapshots(job.lake))
