"""How far new batches are from the champion's data, and whether they are worth a run."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.data.drift import Decision, DriftReport, compare, worth_retraining
from sluice.data.drift.kept import profile_of, profile_of_all
from sluice.errors import RegistryError
from sluice.refs import DatasetRef, Ref
from sluice.registry.versions import CHAMPION, by_alias
from sluice.run_record import read_records
from sluice.trail_record import read_trail
from sluice.training.artifact import TrainedModel
from tasks.artifacts import publish_drift
from tasks.job import Job, job_task

NO_CHAMPION = "there is no champion yet to compare with"
NOTHING_NEW = "the champion has seen all of these batches; the recipe is what changed"


@dataclass(frozen=True, slots=True)
class Drift:
    """What was measured, None where there was nothing to compare, and what follows from it."""

    report: DriftReport | None
    decision: Decision


@job_task("measure drift", lambda _, drift: drift.decision.reason)
def measure_drift(job: Job, cleaned: tuple[DatasetRef, ...]) -> Drift:
    """Compare the batches that the champion has not seen with the rows that it was trained on."""
    if not job.recipe.drift.enabled:
        return Drift(None, Decision(True, "drift is not measured (drift.enabled)"))
    champion = _champion(job)
    if champion is None:
        return Drift(None, Decision(True, NO_CHAMPION))
    trained_on, seen = champion
    fresh = [batch for batch in cleaned if batch.digest not in seen]
    if not fresh:
        return Drift(None, Decision(True, NOTHING_NEW))
    profile = profile_of_all(fresh, "kept", job.lake)
    report = compare(profile_of(trained_on, "train", job.lake), profile, job.recipe.drift)
    publish_drift(job, report)
    return Drift(report, worth_retraining(report, profile.rows, job.recipe.drift))


def _champion(job: Job) -> tuple[Ref, frozenset[str]] | None:
    """The data that the champion was trained on, and the cleaned batches that it came from."""
    try:
        version = by_alias(job.tracking_uri, job.recipe.model.name, CHAMPION)
    except RegistryError:  # whoever needs the registry tells of it by name
        return None
    if version is None or not (job.lake.root / version.uri).exists():
        return None
    digest = TrainedModel.read(job.lake.root / version.uri).dataset_digest
    trained_on = Ref(f"contracted/{digest}", digest)
    if not job.lake.path(trained_on).exists():
        return None
    seen = [
        ref.digest
        for record in read_records(job.home.runs)
        if record.model_digest == version.digest
        for ref in read_trail(job.home.runs, record.run_id).get("cleaned", ())
    ]
    return trained_on, frozenset(seen)
