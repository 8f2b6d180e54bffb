"""A parent that runs a child which sleeps. Run as `python -m children.parent WORK PIDS`."""

from __future__ import annotations

import sys
from pathlib import Path

from sluice.child_process import run_module

if __name__ == "__main__":
    request = {"grandchild": sys.argv[2], "end": "sleep"}
    run_module(
        "children.step", request, Path(sys.argv[1]), on_event=lambda event: None, timeout_seconds=60
    )
