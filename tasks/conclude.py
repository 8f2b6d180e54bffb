"""End a run with its outcome: in its record, in MLflow, and as the name of its Prefect state."""

from __future__ import annotations

from prefect.states import Completed, State

from sluice.evaluation.display import name_of
from sluice.evaluation.evidence import read_evidence
from sluice.refs import Evidence
from sluice.registry.tracking import Tracked, close_run
from sluice.run_record import Outcome
from tasks.job import Job


def conclude(job: Job, outcome: Outcome, detail: str, tracked: Tracked | None = None) -> State:
    """Record the outcome; the returned state carries it as its name and the detail as message."""
    job.record.ended(outcome, detail).save(job.home.runs)
    if tracked is not None:
        close_run(tracked, "FINISHED", outcome)
    return Completed(name=outcome.capitalize(), message=detail)


def gate_reasons(job: Job, evidence: Evidence) -> str:
    """What the gate holds against a candidate, in one sentence each."""
    _, verdict = read_evidence(evidence, job.lake)
    reasons = [
        line.reason if line.metric == "rows" else f"{name_of(line.metric)}: {line.reason}"
        for line in verdict.lines
        if line.outcome != "pass"
    ]
    if verdict.verdict == "inconclusive" and verdict.rows_to_settle:
        reasons.append(f"About {verdict.rows_to_settle} more evaluation rows would settle it.")
    return " ".join(reasons)
