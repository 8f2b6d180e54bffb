"""Check, clean and split: from batches to a data set that may be trained on."""

from __future__ import annotations

from pathlib import Path

from data_contracts.steps import raw_contract_step, training_contract_step
from sluice.data.curate import clean_step, split_step
from sluice.data.funnel import Trail, funnel
from sluice.refs import DatasetRef
from sluice.training.base_model import resolve_base
from tasks.artifacts import publish_funnel
from tasks.job import Job, job_task


def _tokenizer(job: Job) -> Path:
    model = job.recipe.model
    return resolve_base(model.base, model.revision, job.cache).folder / "tokenizer.json"


def _rows(ref: DatasetRef) -> str:
    return f"{ref.rows} rows"


@job_task("check raw records", _rows)
def check_raw(job: Job, snapshots: tuple[DatasetRef, ...]) -> DatasetRef:
    """The contract of raw records; what breaks it is quarantined, or stops the run."""
    return raw_contract_step(snapshots, job.recipe, job.lake, job.docs_folder)


@job_task("clean", _rows)
def clean(job: Job, checked: DatasetRef) -> DatasetRef:
    """Repair and drop single rows, each drop with a reason."""
    return clean_step(checked, job.recipe, job.lake, _tokenizer(job))


@job_task("split", _rows)
def split(job: Job, cleaned: DatasetRef) -> DatasetRef:
    """Keep evaluation rows, and all that resembles them, away from training."""
    folder = job.recipe_path.parent
    return split_step(cleaned, job.recipe, folder, job.lake, _tokenizer(job))


@job_task("check training examples", lambda trail: f"{trail.contracted.rows} rows to train on")
def check_training(
    job: Job,
    snapshots: tuple[DatasetRef, ...],
    checked: DatasetRef,
    cleaned: DatasetRef,
    curated: DatasetRef,
) -> Trail:
    """The contract of training examples; returns the trail of data sets that led here."""
    contracted = training_contract_step(
        curated, job.recipe, job.lake, _tokenizer(job), job.docs_folder
    )
    trail = Trail(tuple(snapshots), checked, cleaned, curated, contracted)
    publish_funnel(job, funnel(trail, job.lake))
    return trail
