"""What a run shows in the Prefect UI: funnel, training progress, evidence, links."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_progress_artifact,
    update_progress_artifact,
)

from sluice.child_process import Event
from sluice.data.drift import DriftReport
from sluice.data.funnel import Stage
from sluice.durations import told_seconds
from tasks.job import Job

UPDATE_SECONDS = 2.0


def _key(job: Job, what: str) -> str:
    # Artifact keys take lower-case letters, digits and dashes only.
    return f"{what}-{job.recipe.model.name.lower().replace('_', '-')}"


def publish_funnel(job: Job, stages: Sequence[Stage]) -> None:
    """Rows by stage, with the reasons of those that left."""
    lines = ["| Stage | Rows | Left here, and why |", "| --- | ---: | --- |"]
    for stage in stages:
        reasons = ", ".join(f"{reason} {rows}" for reason, rows in stage.reasons)
        lines.append(f"| {stage.name} | {stage.rows} | {reasons or '–'} |")
    create_markdown_artifact("\n".join(lines), key=_key(job, "rows"), description="Rows by stage")


def publish_drift(job: Job, report: DriftReport) -> None:
    """How far new rows are from the champion's."""
    lines = [report.sentence, "", "| Measure | Score | Limit | |", "| --- | ---: | ---: | --- |"]
    for measure in report.measures:
        told = "drifted" if measure.drifted else ""
        lines.append(f"| {measure.name} | {measure.score:.3f} | {measure.limit:g} | {told} |")
    create_markdown_artifact("\n".join(lines), key=_key(job, "drift"), description="Drift")


def publish_evidence(job: Job, markdown: str) -> None:
    """What an approver reads."""
    create_markdown_artifact(markdown, key=_key(job, "evidence"), description="Evidence")


def publish_link(job: Job, what: str, url: str) -> None:
    """A link to another page about this run."""
    create_link_artifact(url, link_text=what, key=_key(job, what), description=what)


class TrainingProgress:
    """A progress bar in the Prefect UI that follows the trainer's events."""

    def __init__(self, job: Job) -> None:
        self._key = _key(job, "training")
        self._artifact: UUID | None = None
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        """Take one event of the trainer's."""
        if event.get("kind") not in ("start", "step"):
            return
        step, total = event.get("step", event.get("resumed_from_step", 0)), event["total_steps"]
        if step != total and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + UPDATE_SECONDS
        self._show(100.0 * step / max(total, 1), _sentence(event, step, total))

    def _show(self, percent: float, sentence: str) -> None:
        if self._artifact is None:
            made: Any = create_progress_artifact(percent, key=self._key, description=sentence)
            self._artifact = made
        else:
            update_progress_artifact(self._artifact, percent, description=sentence)


def _sentence(event: Event, step: int, total: int) -> str:
    if "loss" not in event:
        return f"step {step} of {total}"
    parts = (
        f"step {step} of {total}, loss {event['loss']:.3f}",
        f"{event['tokens_per_second']:.0f} tokens/s",
        f"about {told_seconds(event['seconds_left'])} left",
    )
    return ", ".join(parts)
