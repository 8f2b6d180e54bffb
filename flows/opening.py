"""Begin a run and end it: the record, the lock, and an outcome whatever happens."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from prefect.runtime import flow_run

from flows.deciding import sweep
from flows.run_lock import only_run
from sluice.errors import RegistryError, SluiceError
from sluice.home import Home
from sluice.quiet import turn_telemetry_off
from sluice.recipe_file import load_recipe
from sluice.registry.tracking import Tracked, close_run
from sluice.run_record import new_record
from sluice.settling import settle
from sluice.stack.local import point_at_stack
from tasks.job import Job

NO_SPACE = "No space left on device"
LOW_BYTES = 64 * 1024 * 1024


@contextlib.contextmanager
def opened(recipe_path: str) -> Iterator[Job]:
    """A job with its record. Whatever ends the block early leaves a named outcome behind.

    Raises:
        SluiceError: another run of this home is under way, or the disk is full.
    """
    turn_telemetry_off()
    path = Path(recipe_path)
    recipe = load_recipe(path)
    home = Home.current()
    point_at_stack(home)
    with only_run(home):
        settle(home)
        with contextlib.suppress(RegistryError):  # whoever needs MLflow tells of it by name
            sweep(home, recipe.model.name)
        record = new_record(recipe.model.name, flow_run.get_id()).save(home.runs)
        job = Job(recipe, path, home, record.run_id)
        try:
            yield job
        except BaseException as error:
            full = _is_full(home, error)
            detail = _told(error) + (_make_room(home) if full else "")
            _fail(job, detail)
            if full and isinstance(error, Exception):
                raise SluiceError(detail) from error
            raise


def _told(error: BaseException) -> str:
    if isinstance(error, SluiceError):
        return str(error)
    if isinstance(error, Exception):
        return f"{type(error).__name__}: {error}"
    return f"It was interrupted ({type(error).__name__}); run again to continue."


def _is_full(home: Home, error: BaseException) -> bool:
    """Libraries tell of a full disk in many words, or in none; so the disk itself is asked too."""
    return NO_SPACE in str(error) or _free_bytes(home) < LOW_BYTES


def _free_bytes(home: Home) -> int:
    folder = home.lake.root if home.lake.root.exists() else home.root
    return shutil.disk_usage(folder).free


def _make_room(home: Home) -> str:
    return (
        f" The disk of {home.lake.root} has {_free_bytes(home) / 1e6:.0f} MB free: free some "
        "space, then run again. Finished steps are kept."
    )


def _fail(job: Job, detail: str) -> None:
    record = job.record
    if record.outcome != "running":
        return
    with contextlib.suppress(OSError):  # without a record, `settle` calls the run failed as well
        record.ended("failed", detail).save(job.home.runs)
    if record.tracking_run_id:
        close_run(Tracked(job.tracking_uri, record.tracking_run_id, ""), "FAILED", "failed")
