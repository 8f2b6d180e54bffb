"""Watch the landing folder: a file that is new and has settled starts a retrain.

Run as `python -m flows.landing_watch RECIPE` by `sluice up`. The same content starts one run only:
the run's idempotency key is the digest of what lies in the folder.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from prefect import get_client
from prefect.client.schemas.objects import FlowRun

from flows.run_lock import refuse_second_run
from sluice.data.ingest import unseen_files
from sluice.errors import SluiceError
from sluice.home import Home
from sluice.lake import digest_of, file_digest
from sluice.quiet import turn_telemetry_off
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe

log = logging.getLogger("sluice.landing")
Stamp = tuple[int, int]
ATTEMPTS = 3


class Settling:
    """Tells which files have kept their size and time long enough to be read whole."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._seen: dict[Path, tuple[Stamp, float]] = {}

    def settled(self, files: list[Path]) -> list[Path]:
        """Those of the files that have settled; call it at every look."""
        now = self._clock()
        stamps = {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}
        self._seen = {
            path: before
            if (before := self._seen.get(path)) and before[0] == stamp
            else (stamp, now)
            for path, stamp in stamps.items()
        }
        return [path for path, (_, since) in self._seen.items() if now - since >= self._seconds]


def start_retrain(deployment: str, files: list[Path]) -> str:
    """Start the deployment's run for exactly these contents; the same contents start one run.

    Unless that one crashed before it took them in: then they start another, a few times.
    """
    content = digest_of(sorted(file_digest(path) for path in files))
    names = ", ".join(path.name for path in files)
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)

        def started(attempt: int) -> FlowRun:
            return client.create_flow_run_from_deployment(
                found.id,
                name=f"retrain for {names}"[:200],
                idempotency_key=f"landing-{content}-{attempt}",
            )

        run = started(0)
        for attempt in range(1, ATTEMPTS):
            if run.state is None or not run.state.is_crashed():
                break
            run = started(attempt)
    return str(run.id)


def start_again(deployment: str) -> str:
    """Start the deployment's run although nothing new has landed: it continues what stopped."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        return str(client.create_flow_run_from_deployment(found.id, name="continue").id)


def watch(recipe_path: Path) -> None:
    """Look at the folder until the process is ended; trouble with the server is only logged."""
    recipe, home = load_recipe(recipe_path), Home.current()
    landing = recipe.data.landing or home.landing
    landing.mkdir(parents=True, exist_ok=True)
    settling = Settling(recipe.schedule.settle_seconds)
    started: set[str] = set()
    log.info("watching %s", landing)
    while True:
        try:
            _look(recipe, home, settling, started)
        except Exception:  # a watcher that dies of a passing fault watches nothing
            log.exception("could not look at %s or start a run; trying again", landing)
        time.sleep(recipe.schedule.poll_seconds)


def _look(recipe: Recipe, home: Home, settling: Settling, started: set[str]) -> None:
    files = unseen_files(recipe.data.landing or home.landing, home.lake, recipe.data)
    settled = settling.settled(files)
    if not files or len(settled) < len(files):
        return  # wait for all: files that arrive together belong to one retrain
    try:
        refuse_second_run(home)
    except SluiceError:
        return  # a run in a terminal is under way; this one's turn comes when it has ended
    run = start_retrain(f"retrain/{recipe.model.name}", settled)
    if run not in started:
        started.add(run)
        log.info("started %s for %s", run, ", ".join(path.name for path in settled))


def main() -> None:
    """The process that `sluice up` starts."""
    turn_telemetry_off()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    watch(Path(sys.argv[1]))


if __name__ == "__main__":
    main()
