"""Begin a run and end it: the record, the lock, and an outcome whatever happens."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from prefect.runtime import flow_run

from sluice.errors import SluiceError
from sluice.home import Home
from sluice.quiet import turn_telemetry_off
from sluice.recipe_file import load_recipe
from sluice.run_record import new_record
from sluice.settling import settle
from sluice.stack.local import point_at_stack
from tasks.job import Job


@contextlib.contextmanager
def opened(recipe_path: str) -> Iterator[Job]:
    """A job with its record. Whatever ends the block early leaves a named outcome behind.

    Raises:
        SluiceError: another run of this home is under way.
    """
    turn_telemetry_off()
    path = Path(recipe_path)
    recipe = load_recipe(path)
    home = Home.current()
    point_at_stack(home)
    with _only_run(home):
        settle(home)
        record = new_record(recipe.model.name, flow_run.get_id()).save(home.runs)
        job = Job(recipe, path, home, record.run_id)
        try:
            yield job
        except SluiceError as error:
            _fail(job, str(error))
            raise
        except BaseException as error:
            interrupted = f"It was interrupted ({type(error).__name__}); run again to continue."
            broken = f"{type(error).__name__}: {error}"
            _fail(job, broken if isinstance(error, Exception) else interrupted)
            raise


def _fail(job: Job, detail: str) -> None:
    record = job.record
    if record.outcome == "running":
        record.ended("failed", detail).save(job.home.runs)


@contextlib.contextmanager
def _only_run(home: Home) -> Iterator[None]:
    home.root.mkdir(parents=True, exist_ok=True)
    with (home.root / ".run.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            raise SluiceError(
                f"Another run of {home.root} is under way (process {lock.read().strip()}). "
                "Two trainings on one machine slow each other by more than half: wait for it."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
