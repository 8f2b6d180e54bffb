"""Train a candidate, and let MLflow, the Prefect UI and the log follow it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from sluice.child_process import Event
from sluice.data.funnel import Trail
from sluice.data.json_lines import read_json_lines
from sluice.errors import RegistryError
from sluice.refs import ModelRef, Ref
from sluice.registry.tracking import EventFeed, Tracked, log_provenance, open_run, send_history
from sluice.registry.versions import CHAMPION, by_alias
from sluice.training.artifact import TrainedModel
from sluice.training.provenance import PROVENANCE
from sluice.training.start import withdrawn_behind
from sluice.training.train import history_file, train_step
from tasks.artifacts import TrainingProgress, publish_link
from tasks.job import Job, job_task
from tasks.trained_line import trained_line

log = logging.getLogger("prefect.sluice")


def _describe(job: Job, result: tuple[ModelRef, Tracked]) -> str:
    model, _ = result
    history = read_json_lines(history_file(job.lake, model))
    return trained_line(model, job.lake.manifest(model)["training"], history)


@job_task("train", _describe)
def train(job: Job, trail: Trail) -> tuple[ModelRef, Tracked]:
    """Train in a process of its own; returns the model and the MLflow run that tells of it."""
    try:
        tracked = open_tracking(job, trail)
    except RegistryError as error:  # tracking never stops training: the run is opened afterwards
        log.warning("%s Training begins without it.", error)
        tracked = None
    followers = (EventFeed(tracked), TrainingProgress(job), _log_notices(), job.progress)

    def follow(event: Event) -> None:
        for follower in followers:
            follower(event)

    start = start_of(job)
    model = train_step(
        trail.contracted, job.recipe, job.lake, job.cache, follow, start=start, trail=trail
    )
    tracked = tracked or open_tracking(job, trail)
    # All points again, from the lake: those that MLflow has already are the same points to it.
    send_history(tracked, read_json_lines(history_file(job.lake, model)))
    log_provenance(tracked, job.lake.manifest(model).get(PROVENANCE, {}))
    return model, tracked


def start_of(job: Job) -> ModelRef | None:
    """The champion, where the recipe goes on from its weights and there is one."""
    if job.recipe.training.start_from == "base":
        return None
    champion = by_alias(job.tracking_uri, job.recipe.model.name, CHAMPION)
    if champion is None:
        log.warning("There is no champion to go on from yet: training begins at the base.")
        return None
    job.lake.manifest(Ref(champion.uri, champion.digest))  # says so if its folder is gone
    start = champion.reference(TrainedModel.read(job.lake.root / champion.uri))
    withdrawn = withdrawn_behind(start, job.lake)
    if withdrawn:
        batches = ", ".join(digest[:12] for digest in withdrawn)
        log.warning(
            "Version %s, the champion, was trained on what was withdrawn since (batch %s): "
            "training begins at the base, which has not seen it.",
            champion.version,
            batches,
        )
        return None
    log.info("Training goes on from version %s, the champion.", champion.version)
    return start


def _log_notices() -> Callable[[Event], None]:
    """Puts each notice into the run's log once: a resumed training tells its earlier ones again."""
    told: set[str] = set()

    def log_notice(event: Event) -> None:
        if event.get("kind") == "notice" and event["text"] not in told:
            told.add(event["text"])
            log.warning("%s", event["text"])

    return log_notice


def open_tracking(job: Job, trail: Trail) -> Tracked:
    """Open the run in MLflow, or the one that a killed run of the same data had begun."""
    key = job.record.key or job.run_id
    tracked = open_run(
        job.tracking_uri,
        job.recipe.model.name,
        key,
        _parameters(job, trail),
        job.home.root / "mlflow" / "artifacts",
    )
    job.update(tracking_run_id=tracked.run_id)
    if tracked.url:
        job.link("MLflow run", tracked.url)
        publish_link(job, "mlflow-run", tracked.url)
    return tracked


def _parameters(job: Job, trail: Trail) -> dict[str, Any]:
    """MLflow shows flat names; PEFT's settings are not logged by anyone else."""
    training = job.recipe.training.model_dump(mode="json")
    return {
        "base": job.recipe.model.base,
        "rows": trail.contracted.rows,
        "data_digest": trail.contracted.digest,
        **{f"training.{name}": value for name, value in training.items()},
    }
