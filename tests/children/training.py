"""One training in the process that calls `main`, to be killed by whoever started it."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from sluice.child_process import EVENTS, EventWriter, set_aside
from sluice.lake import write_json
from sluice.training.worker import train


def main(fields: dict[str, Any], done: Path) -> None:
    """Train as `fields` ask for; `done` then holds the facts."""
    work = Path(fields["work"])
    sys.stdout = sys.stderr = (work / "log.txt").open("a", encoding="utf-8")
    warnings.simplefilter("ignore")
    set_aside(work)
    with contextlib.closing(EventWriter(work / EVENTS)) as emit:
        facts = train(fields, emit)
    write_json(done, facts)
    os._exit(0)  # nothing is left to do, and a hook at the end could hide that all went well
