"""Check, clean, compare and split: from batches to a data set that may be trained on."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger

from sluice.data.counts import most_first
from sluice.data.funnel import Trail, funnel, gone_reasons
from sluice.data.quarantine import count_quarantined
from sluice.refs import DatasetRef
from tasks.artifacts import publish_funnel, publish_link
from tasks.drift import Drift
from tasks.job import Job, job_task

Batches = tuple[DatasetRef, ...]


def _rows(job: Job, ref: DatasetRef) -> str:
    return f"{ref.rows} rows{_left(job, [ref])}"


def _batches(job: Job, refs: Batches) -> str:
    return f"{sum(ref.rows for ref in refs)} rows in {len(refs)} batches{_left(job, refs)}"


def _trained_on(job: Job, trail: Trail) -> str:
    waiting = count_quarantined(trail.refs, job.lake)
    told = f"; {waiting} rows wait: `sluice quarantine list`" if waiting else ""
    return f"{trail.contracted.rows} rows to train on{told}"


def _left(job: Job, refs: Sequence[DatasetRef]) -> str:
    """How many rows left in a step, and for what."""
    reasons = gone_reasons(refs, job.lake)
    told = ", ".join(f"{reason} {rows}" for reason, rows in most_first(reasons))
    return f"; {sum(reasons.values())} left ({told})" if reasons else ""


@job_task("check raw records", _batches)
def check_raw(job: Job, snapshots: Batches) -> Batches:
    """The contract of raw records, batch by batch; what breaks it is quarantined, or stops it."""
    checked = job.preparation.check_raw(snapshots)
    job.note_trail("checked", checked)
    return checked


@job_task("clean", _batches)
def clean(job: Job, checked: Batches) -> Batches:
    """Repair and drop single rows, each drop with a reason; a batch that was cleaned is reused."""
    cleaned = job.preparation.clean(checked)
    job.note_trail("cleaned", cleaned)
    return cleaned


@job_task("compare", _rows)
def compare(job: Job, cleaned: Batches) -> DatasetRef:
    """Remove copies, contradictions, and whatever resembles a held-out row."""
    compared = job.preparation.compare(cleaned)
    for note in job.lake.manifest(compared)["notes"]:
        get_run_logger().warning("%s", note)
    job.note_trail("compared", [compared])
    return compared


@job_task("split", _rows)
def split(job: Job, compared: DatasetRef) -> DatasetRef:
    """Keep evaluation rows apart from those that train."""
    curated = job.preparation.split(compared)
    job.note_trail("curated", [curated])
    return curated


@job_task("augment", _rows)
def augment(job: Job, curated: DatasetRef) -> DatasetRef:
    """Add variants to the training rows, where the recipe asks for them."""
    augmented = job.preparation.augment(curated)
    job.note_trail("curated", [augmented])
    return augmented


@job_task("check training examples", _trained_on)
def check_training(
    job: Job,
    snapshots: Batches,
    checked: Batches,
    cleaned: Batches,
    compared: DatasetRef,
    curated: DatasetRef,
    drift: Drift,
) -> Trail:
    """The contract of training examples; returns the trail of data sets that led here."""
    contracted = job.preparation.check_training(checked, cleaned, compared, curated, drift.report)
    job.note_trail("contracted", [contracted])
    trail = Trail(tuple(snapshots), checked, cleaned, compared, curated, contracted)
    publish_funnel(job, funnel(trail, job.lake))
    for page in sorted(job.docs_folder.glob("*/index.html")):
        publish_link(job, f"data-docs-{page.parent.name.replace('_', '-')}", page.as_uri())
    job.link("Data Docs", str(job.docs_folder))
    return trail
