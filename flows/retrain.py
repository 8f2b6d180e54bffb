"""The retrain flow: from fresh files to a challenger that waits for a person's yes."""

from __future__ import annotations

from prefect import flow, get_run_logger
from prefect.states import Failed, State

from flows.opening import opened
from flows.promotion_request import ask_approval
from sluice.errors import SluiceError
from sluice.run_record import Outcome
from tasks.conclude import conclude, gate_reasons
from tasks.decide import decide
from tasks.drift import measure_drift
from tasks.ingest import ingest
from tasks.job import Job
from tasks.prepare import augment, check_raw, check_training, clean, compare, split
from tasks.register import register
from tasks.score import evaluate
from tasks.train import train

BY_VERDICT: dict[str, Outcome] = {"reject": "rejected by gate", "inconclusive": "inconclusive"}


@flow(name="retrain", retries=0)
def retrain(recipe_path: str, batch: list[str] | None = None) -> State:
    """Run one whole retrain; it ends in a named outcome, which is also the name of its state."""
    try:
        with opened(recipe_path) as job:
            return _retrain(job, batch)
    except SluiceError as error:
        get_run_logger().error("%s", error)
        return Failed(message=str(error))


def _retrain(job: Job, batch: list[str] | None) -> State:
    snapshots = ingest(job, batch)
    reason_to_skip = decide(job, snapshots)
    if reason_to_skip:
        return conclude(job, "skipped", reason_to_skip)
    checked = check_raw(job, snapshots)
    cleaned = clean(job, checked)
    drift = measure_drift(job, cleaned)
    if not drift.decision.retrain:
        return conclude(job, "skipped", drift.decision.reason)
    compared = compare(job, cleaned)
    curated = augment(job, split(job, compared))
    trail = check_training(job, snapshots, checked, cleaned, compared, curated, drift)
    trained = train(job, trail)
    evidence = evaluate(job, trail, trained)
    _, tracked = trained
    if evidence.verdict != "promote":
        return conclude(job, BY_VERDICT[evidence.verdict], gate_reasons(job, evidence), tracked)
    version = register(job, trained, evidence)
    ask_approval(job, version)
    detail = f"version {version.version} passed the gate and waits for a decision"
    return conclude(job, "awaiting approval", detail, tracked)
