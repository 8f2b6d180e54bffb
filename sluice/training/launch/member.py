"""One of several training processes. The first reports events; each leaves what became of it.

member-N.json   {"ok": facts} or {"error": text, "explained": bool}, written by process N
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from sluice.child_process import EVENTS, EventWriter, die_with_parent
from sluice.errors import SluiceError
from sluice.how_it_ended import is_out_of_memory
from sluice.lake import read_json, write_json
from sluice.training.launch import group
from sluice.training.launch.outcome import member_file
from sluice.training.worker import train


def take_part(fields: dict[str, Any], work: Path) -> None:
    """Train together with the others; only the first process's events are kept."""
    left = member_file(work, group.number())
    events = work / EVENTS if group.is_first() else Path(os.devnull)
    try:
        with contextlib.closing(EventWriter(events)) as emit:
            facts = train(fields, emit)
    except Exception as error:
        explained = isinstance(error, SluiceError)
        text = str(error) if explained else f"{type(error).__name__}: {error}"
        short = is_out_of_memory(error)
        write_json(left, {"error": text, "explained": explained, "out_of_memory": short})
        raise
    write_json(left, {"ok": facts})


def main() -> None:
    """The main function of a process that `one_machine` started."""
    die_with_parent(os.environ.get("SLUICE_PARENT"))
    path = Path(sys.argv[1])
    take_part(read_json(path), path.parent)
    group.leave()


if __name__ == "__main__":
    main()
