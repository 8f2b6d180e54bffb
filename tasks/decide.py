"""Decide whether there is anything new worth training on."""

from __future__ import annotations

from prefect import get_run_logger

from sluice.errors import BatchError
from sluice.freshness import reason_to_skip, run_key, section_digests, what_changed
from sluice.refs import DatasetRef
from tasks.job import Job, job_task


@job_task("decide", lambda _, reason: reason or "there is something new to learn")
def decide(job: Job, snapshots: tuple[DatasetRef, ...]) -> str | None:
    """Why this run may be skipped, or None if it has work to do.

    Raises:
        BatchError: there is no data at all yet.
    """
    if not snapshots:
        landing = job.recipe.data.landing or job.home.landing
        raise BatchError(
            f"There is nothing to train on: no batch counts (`sluice batches` lists all), and "
            f"nothing new is in {landing}. Put a file there, or name one with `--batch FILE`."
        )
    key = run_key(job.recipe, snapshots)
    changed = what_changed(job.home, job.recipe, key)
    if changed:
        get_run_logger().info("%s", changed)
    job.update(key=key, sections=section_digests(job.recipe))
    return reason_to_skip(job.home, key, len(snapshots))
