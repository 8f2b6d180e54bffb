"""Decide whether there is anything new worth training on."""

from __future__ import annotations

from sluice.errors import BatchError
from sluice.freshness import reason_to_skip, run_key
from sluice.refs import DatasetRef
from tasks.job import Job, job_task


@job_task("decide", lambda reason: reason or "there is something new to learn")
def decide(job: Job, snapshots: tuple[DatasetRef, ...]) -> str | None:
    """Why this run may be skipped, or None if it has work to do.

    Raises:
        BatchError: there is no data at all yet.
    """
    if not snapshots:
        landing = job.recipe.data.landing or job.home.landing
        raise BatchError(
            f"There is nothing to train on: no batch was ever ingested, and {landing} holds no "
            "*.jsonl file. Put one there, or name one with `--batch FILE`."
        )
    key = run_key(job.recipe, snapshots)
    job.update(key=key)
    return reason_to_skip(job.home, key, len(snapshots))
