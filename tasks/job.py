"""What every task of one run knows: the recipe, the home, and the run's own record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from prefect import Task, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from data_contracts.preparation import Preparation
from sluice.child_process import Event
from sluice.data.progress import Progress
from sluice.errors import SluiceError
from sluice.home import Home, cache_dir
from sluice.lake import Lake
from sluice.recipe import Recipe
from sluice.refs import DatasetRef
from sluice.registry_location import tracking_uri
from sluice.run_record import RunRecord, find_record
from sluice.trail_record import note_trail
from sluice.training.base_model import base_of

TELL_SECONDS = 10.0

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Job:
    """One run of one recipe. The record on disk is the truth; it is read anew each time."""

    recipe: Recipe
    recipe_path: Path
    home: Home
    run_id: str

    @property
    def lake(self) -> Lake:
        """The home's lake."""
        return self.home.lake

    @property
    def cache(self) -> Path:
        """Where converted base models are kept."""
        return cache_dir()

    @property
    def tracking_uri(self) -> str:
        """Where MLflow is."""
        return tracking_uri(self.home)

    @property
    def docs_folder(self) -> Path:
        """Data Docs and other pages that belong to this run."""
        return self.home.runs / self.run_id / "data_docs"

    @cached_property
    def preparation(self) -> Preparation:
        """The data steps, as this recipe asks for them."""
        base = base_of(self.recipe.model, self.cache)
        return Preparation(
            self.recipe,
            self.recipe_path.parent,
            self.lake,
            self.docs_folder,
            base.tokenizer_file,
            tell=_SlowLog(),
        )

    @property
    def record(self) -> RunRecord:
        """The run's record as it is now.

        Raises:
            SluiceError: somebody deleted it.
        """
        found = find_record(self.home.runs, self.run_id)
        if found is None:
            raise SluiceError(f"The record of run {self.run_id} is gone from {self.home.runs}.")
        return found

    def update(self, **fields: Any) -> RunRecord:
        """Change fields of the record."""
        return replace(self.record, **fields).save(self.home.runs)

    def link(self, what: str, address: str) -> None:
        """Add an address to the record."""
        self.update(links={**self.record.links, what: address})

    def progress(self, event: Event) -> None:
        """Leave the newest event of a long step where a terminal can follow it."""
        (self.home.runs / self.run_id).mkdir(parents=True, exist_ok=True)
        with self.progress_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, ensure_ascii=False) + "\n")

    @property
    def progress_file(self) -> Path:
        """Events of training and evaluation, one JSON per line, while the run goes on."""
        return self.home.runs / self.run_id / "progress.jsonl"

    def note_trail(self, step: str, refs: Iterable[DatasetRef]) -> None:
        """Remember which data sets a step made."""
        note_trail(self.home.runs, self.run_id, step, refs)

    def note(self, step: str, seconds: float, detail: str) -> None:
        """Add a finished step to the record."""
        self.record.with_step(step, seconds, detail).save(self.home.runs)


class _SlowLog:
    """Tells the run's log how far a data step is, where it takes long enough to ask."""

    def __init__(self) -> None:
        self._next = time.monotonic() + TELL_SECONDS

    def __call__(self, progress: Progress) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + TELL_SECONDS
            get_run_logger().info("%s", progress.told)


def job_task(
    name: str, describe: Callable[[Job, Any], str], **policy: Any
) -> Callable[[Callable[Concatenate[Job, P], R]], Task[Concatenate[Job, P], R]]:
    """Make a task of a function of a job: timed, and told in the run's record by `describe`.

    Results are not cached by Prefect: each step remembers its own work in the lake, under the
    digests of what it reads, and so a rerun after a crash continues where the last one stopped.
    """

    def wrap(function: Callable[Concatenate[Job, P], R]) -> Task[Concatenate[Job, P], R]:
        @wraps(function)
        def timed(job: Job, *args: P.args, **kwargs: P.kwargs) -> R:
            started = time.monotonic()
            result = function(job, *args, **kwargs)
            detail = describe(job, result)
            job.note(name, time.monotonic() - started, detail)
            get_run_logger().info("%s: %s", name, detail)
            return result

        return task(name=name, task_run_name=name, cache_policy=NO_CACHE, **policy)(timed)

    return wrap
