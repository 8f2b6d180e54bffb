"""One MLflow run for each retrain: settings, live loss, scores and the report.

Tracking never stops training. What MLflow does not take at once waits and is sent again, once:
an event carries its own time, so a point that arrives twice is the same point.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, RunTag

from sluice.registry.connection import client_for, experiment_id, explained

log = logging.getLogger(__name__)
SEND_SECONDS = 2.0  # one batch each; a call for each metric is 90 times slower
RETRY_SECONDS = 20.0
BATCH = 900  # MLflow takes at most 1000 metrics in one call
KEY_TAG = "sluice.run_key"
NOTICES_TAG = "sluice.notices"
TAG_CHARS = 5000  # what every store of MLflow's takes


@dataclass(frozen=True, slots=True)
class Tracked:
    """A run in MLflow."""

    uri: str
    run_id: str
    experiment_id: str

    @property
    def url(self) -> str | None:
        """The run's page, if a server shows it."""
        if not self.uri.startswith("http"):
            return None
        return f"{self.uri}/#/experiments/{self.experiment_id}/runs/{self.run_id}"


def open_run(uri: str, model: str, key: str, params: Mapping[str, Any], artifacts: Path) -> Tracked:
    """The run for a key: a retrain that was killed continues the run that it had begun."""
    with explained(uri, "opening a run"):
        client = client_for(uri)
        experiment = experiment_id(uri, model, artifacts)
        found = client.search_runs([experiment], f"tags.`{KEY_TAG}` = '{key}'", max_results=1)
        if found:
            client.set_terminated(found[0].info.run_id, "RUNNING")
            return Tracked(uri, found[0].info.run_id, experiment)
        run = client.create_run(experiment, tags={KEY_TAG: key}, run_name=f"retrain-{key[:8]}")
        shown = [Param(name, str(value)[:500]) for name, value in params.items()]
        client.log_batch(run.info.run_id, params=shown)
        return Tracked(uri, run.info.run_id, experiment)


def log_scores(
    tracked: Tracked,
    scores: Mapping[str, float],
    tags: Mapping[str, str],
    files: Mapping[str, Path],
) -> None:
    """Log final scores, tags, and files as `artifact folder -> file or folder`."""
    now = int(time.time() * 1000)
    with explained(tracked.uri, "logging scores"):
        client: Any = client_for(tracked.uri)
        client.log_batch(
            tracked.run_id,
            metrics=[Metric(k, v, now, 0) for k, v in scores.items() if math.isfinite(v)],
            tags=[RunTag(k, v) for k, v in tags.items()],
        )
        for folder, path in files.items():
            send = client.log_artifacts if path.is_dir() else client.log_artifact
            send(tracked.run_id, str(path), folder or None)


def log_provenance(tracked: Tracked, facts: Mapping[str, Any]) -> None:
    """Log what a training ran on and with, as `provenance.json`, and its commit as a tag.

    Models of before have no such facts: nothing is logged of them.
    """
    if not facts:
        return
    code: dict[str, Any] = facts.get("code") or {}
    with explained(tracked.uri, "logging the provenance"):
        client: Any = client_for(tracked.uri)
        client.log_dict(tracked.run_id, dict(facts), "provenance.json")
        if code:  # the tag under which MLflow's pages show it
            client.set_tag(tracked.run_id, "mlflow.source.git.commit", code["commit"])


def close_run(tracked: Tracked, status: str, outcome: str) -> None:
    """End the run in MLflow (`FINISHED` or `FAILED`); trouble with that is only a warning."""
    try:
        client = client_for(tracked.uri)
        client.set_tag(tracked.run_id, "sluice.outcome", outcome)
        client.set_terminated(tracked.run_id, status)
    except Exception as error:  # the run's own outcome must not depend on this
        log.warning("MLflow at %s did not take the end of the run: %s", tracked.uri, error)


class EventFeed:
    """Sends training events to MLflow in batches, and keeps what MLflow does not take.

    With no run to send to (`tracked` None) live events are let go: the lake has them all.
    """

    def __init__(self, tracked: Tracked | None) -> None:
        self._tracked = tracked
        self._waiting: list[Metric] = []
        self._notices: list[str] = []
        self._next_send = 0.0
        self._down = False

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Take one event of the trainer's; trouble is logged, never raised."""
        if self._tracked is None:
            return
        self._waiting += _metrics(event)
        self._notices += _notices([event])
        if self._waiting and time.monotonic() >= self._next_send:
            self._try_to_send(self._tracked)

    def _try_to_send(self, tracked: Tracked) -> None:
        batch = self._waiting[:BATCH]
        try:
            tags = _tags(self._notices)
            client_for(tracked.uri).log_batch(tracked.run_id, metrics=batch, tags=tags)
        except Exception as error:  # tracking never kills training
            if not self._down:
                log.warning("MLflow does not answer; training goes on, metrics wait: %s", error)
            self._down, self._next_send = True, time.monotonic() + RETRY_SECONDS
            return
        self._waiting = self._waiting[len(batch) :]
        self._down, self._next_send = False, time.monotonic() + SEND_SECONDS


def send_history(tracked: Tracked, events: Iterable[Mapping[str, Any]]) -> None:
    """Send all events of a finished training; those that MLflow has already change nothing there.

    Raises:
        RegistryError: MLflow does not answer. The events stay in the lake for the next run.
    """
    events = list(events)
    points = [point for event in events for point in _metrics(event)]
    with explained(tracked.uri, "sending the loss curve"):
        client_for(tracked.uri).log_batch(tracked.run_id, tags=_tags(_notices(events)))
        for start in range(0, len(points), BATCH):
            batch = points[start : start + BATCH]
            client_for(tracked.uri).log_batch(tracked.run_id, metrics=batch)


_NAMES = {"step": "train", "validation": "validation"}


def _metrics(event: Mapping[str, Any]) -> list[Metric]:
    prefix = _NAMES.get(str(event.get("kind")))
    if prefix is None:
        return []
    wanted = ("loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second")
    values = {name: float(event[name]) for name in wanted if name in event}
    if "memory_bytes" in event:
        values["memory_gb"] = float(event["memory_bytes"]) / 1e9
    time_ms, step = int(event["time_ms"]), int(event["step"])
    return [Metric(f"{prefix}/{name}", value, time_ms, step) for name, value in values.items()]


def _notices(events: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(event["text"]) for event in events if event.get("kind") == "notice"]


def _tags(notices: Iterable[str]) -> list[RunTag]:
    """What training gave notice of, each once, as one tag; none where there was nothing."""
    text = "\n".join(dict.fromkeys(notices))
    return [RunTag(NOTICES_TAG, text[:TAG_CHARS])] if text else []
