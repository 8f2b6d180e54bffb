"""One run of a home at a time."""

from __future__ import annotations

from contextlib import AbstractContextManager

from sluice.errors import SluiceError
from sluice.home import Home
from sluice.process_lock import only_process


def only_run(home: Home) -> AbstractContextManager[None]:
    """Hold the home's lock.

    Raises:
        SluiceError: on entering, if another run holds it.
    """
    return only_process(
        home.root / ".run.lock",
        lambda process: SluiceError(
            f"Another run of {home.root} is under way (process {process}). "
            "Two trainings on one machine slow each other by more than half: wait for it."
        ),
    )


def refuse_second_run(home: Home) -> None:
    """Tell at once, before any server starts, that another run is under way.

    Raises:
        SluiceError: it is.
    """
    with only_run(home):
        return
