"""Run the retrain flow in this process, with a Prefect server of its own if none runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from commands.follow import following
from sluice.errors import SluiceError
from sluice.home import Home
from sluice.run_record import RunRecord, read_records
from sluice.stack.local import (
    changing,
    point_at_stack,
    prefect_environment,
    start_prefect,
    wait_for,
)
from sluice.stack.service import stop


def retrain_here(home: Home, recipe: Path, batch: list[Path] | None, *, quiet: bool) -> RunRecord:
    """One retrain; returns its record. Progress is shown unless `quiet`.

    Raises:
        SluiceError: it could not even begin.
    """
    with _prefect(home), following(home, quiet=quiet):
        # After the addresses are set: Prefect reads its settings when it is imported.
        from flows.retrain import retrain

        before = {record.run_id for record in read_records(home.runs)}
        names = [str(path.absolute()) for path in batch] if batch else None
        state = retrain(str(recipe.absolute()), names, return_state=True)
    begun = [record for record in read_records(home.runs) if record.run_id not in before]
    if not begun:
        raise SluiceError(str(state.message or "The run did not begin."))
    return begun[0]


@contextlib.contextmanager
def _prefect(home: Home) -> Iterator[None]:
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "ERROR")
    stack = point_at_stack(home)
    if stack.url("prefect"):
        yield
        return
    with changing(home):
        service = start_prefect(home)
        try:
            wait_for(home, service)
            os.environ.update(prefect_environment(home, str(service.url)))
            yield
        finally:
            stop(service)
