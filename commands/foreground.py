"""Run the retrain flow in this process, with a Prefect server of its own if none runs."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from commands.follow import following
from flows.run_lock import refuse_second_run
from sluice.errors import SluiceError
from sluice.freshness import nothing_new
from sluice.home import Home
from sluice.recipe_file import load_recipe
from sluice.run_record import RunRecord, new_record, read_records
from sluice.stack.local import (
    changing,
    point_at_stack,
    prefect_environment,
    read_stack,
    save_stack,
    start_prefect,
    wait_for,
)
from sluice.stack.service import stop

SEND_SECONDS = 5.0


def retrain_here(home: Home, recipe: Path, batch: list[Path] | None, *, quiet: bool) -> RunRecord:
    """One retrain; returns its record. Progress is shown unless `quiet`.

    Raises:
        SluiceError: it could not even begin, or not even write down how it ended.
    """
    refuse_second_run(home)
    if not read_stack(home).url("prefect"):
        reason = nothing_new(home, load_recipe(recipe), batch)
        if reason:  # told at once: no server is needed to do nothing
            name = load_recipe(recipe).model.name
            return new_record(name, None).ended("skipped", reason).save(home.runs)
    with _prefect(home), following(home, quiet=quiet):
        _keep_logs_off_the_terminal()
        # After the addresses are set: Prefect reads its settings when it is imported.
        from flows.retrain import retrain

        before = {record.run_id for record in read_records(home.runs)}
        names = [str(path.absolute()) for path in batch] if batch else None
        state = retrain(str(recipe.absolute()), names, return_state=True)
    begun = [record for record in read_records(home.runs) if record.run_id not in before]
    if not begun:
        raise SluiceError(str(state.message or "The run did not begin."))
    if begun[0].outcome == "running":
        raise SluiceError(str(state.message or "The run ended without an outcome."))
    return begun[0]


def _keep_logs_off_the_terminal() -> None:
    """Prefect's UI still has them all. A server must not inherit this: its log would be empty."""
    if not os.environ.get("SLUICE_DEBUG"):
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def _send_what_waits() -> None:
    """Logs and events are sent by threads; without a server they would try for a minute at exit."""
    if "prefect" not in sys.modules:
        return
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=SEND_SECONDS)


@contextlib.contextmanager
def _prefect(home: Home) -> Iterator[None]:
    stack = point_at_stack(home)
    # A server alone was left by a run that was killed: this run takes it over.
    if stack.url("prefect") and len(stack.services) > 1:
        yield
        return
    with changing(home):
        service = stack.services.get("prefect") or start_prefect(home)
        save_stack(home, read_stack(home).with_service(service))
        try:
            wait_for(home, service)
            os.environ.update(prefect_environment(home, str(service.url)))
            yield
        finally:
            _send_what_waits()
            stop(service)
            save_stack(home, read_stack(home))
