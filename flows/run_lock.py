"""One run of a home at a time."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from sluice.errors import SluiceError
from sluice.home import Home


@contextlib.contextmanager
def only_run(home: Home) -> Iterator[None]:
    """Hold the home's lock; the kernel lets go of it however this process ends.

    Raises:
        SluiceError: another run holds it.
    """
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


def refuse_second_run(home: Home) -> None:
    """Tell at once, before any server starts, that another run is under way.

    Raises:
        SluiceError: it is.
    """
    with only_run(home):
        return
