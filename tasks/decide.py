"""Decide whether there is anything new worth training on."""

from __future__ import annotations

from sluice.errors import BatchError
from sluice.lake import digest_of, file_digest
from sluice.refs import DatasetRef
from sluice.registry.approvals import Approvals
from sluice.registry.versions import CHAMPION, by_alias
from sluice.run_record import RunRecord, concluded, read_records
from tasks.job import Job, job_task

# These sections decide when and where a model is served, not which model it is.
NOT_JUDGED = {"approval", "serving", "schedule"}


def run_key(job: Job, snapshots: tuple[DatasetRef, ...]) -> str:
    """Digest of all that decides a run's verdict: batches, evaluation rows, and recipe."""
    held_out = job.recipe.data.evaluation
    return digest_of(
        [
            sorted(ref.digest for ref in snapshots),
            file_digest(held_out) if held_out and held_out.exists() else None,
            job.recipe.model_dump(mode="json", exclude=NOT_JUDGED),
        ]
    )


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
    key = run_key(job, snapshots)
    before = concluded(read_records(job.home.runs), key)
    job.update(key=key)
    if before is None or _champion_has_changed(job, before):
        return None
    return (
        f"nothing new: run {before.run_id} judged the same {len(snapshots)} batches with the same "
        f"recipe, and ended as: {before.outcome}"
    )


def _champion_has_changed(job: Job, before: RunRecord) -> bool:
    """Whether that run's candidate still waits, but for a comparison with another champion."""
    approvals = {a.evidence_digest: a for a in Approvals(job.home.approvals).all()}
    approval = approvals.get(before.evidence_digest or "")
    if approval is None or approval.state not in ("asked", "approved"):
        return False
    champion = by_alias(job.tracking_uri, job.recipe.model.name, CHAMPION)
    current = champion.version if champion else None
    return current not in (approval.replaces, approval.version)
