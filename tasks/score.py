"""Score the candidate beside champion and base, and judge it."""

from __future__ import annotations

import logging

from sluice.data.funnel import Trail
from sluice.evaluation.evidence import Contest, evidence_step, read_evidence
from sluice.refs import Evidence, ModelRef, Ref
from sluice.registry.tracking import Tracked, log_scores
from sluice.registry.versions import CHAMPION, by_alias
from sluice.training.artifact import TrainedModel
from tasks.artifacts import publish_evidence, publish_link
from tasks.job import Job, job_task

log = logging.getLogger("prefect.sluice")


@job_task("evaluate and judge", lambda _, evidence: f"verdict: {evidence.verdict}")
def evaluate(job: Job, trail: Trail, trained: tuple[ModelRef, Tracked]) -> Evidence:
    """Score and judge; the evidence goes to the lake, to MLflow and to the Prefect UI."""
    model, tracked = trained
    contest = _contest(job, model)
    evidence = evidence_step(trail, contest, job.recipe, job.lake, job.cache, job.progress)
    job.update(model_digest=model.digest, evidence_digest=evidence.digest)
    _publish(job, evidence, tracked)
    return evidence


def _contest(job: Job, candidate: ModelRef) -> Contest:
    champion = by_alias(job.tracking_uri, job.recipe.model.name, CHAMPION)
    if champion is None:
        return Contest(candidate, None, None)
    job.lake.manifest(Ref(champion.uri, champion.digest))  # says so if its folder is gone
    facts = TrainedModel.read(job.lake.root / champion.uri)
    return Contest(candidate, champion.reference(facts), champion.version)


def _publish(job: Job, evidence: Evidence, tracked: Tracked) -> None:
    folder = job.lake.path(evidence)
    scores, verdict = read_evidence(evidence, job.lake)
    points = {
        f"{model}/{metric}": found.value
        for model, metrics in scores.models.items()
        for metric, found in metrics.items()
    }
    tags = {"sluice.verdict": verdict.verdict, "sluice.evidence_digest": evidence.digest}
    files = {"": folder / "report.html", "evidence": folder, "data_docs": job.docs_folder}
    log_scores(tracked, points, tags, {k: v for k, v in files.items() if v.exists()})
    publish_evidence(job, (folder / "evidence.md").read_text(encoding="utf-8"))
    job.link("report", str(folder / "report.html"))
    if tracked.url:
        publish_link(job, "report", f"{tracked.url}/artifacts/report.html")
