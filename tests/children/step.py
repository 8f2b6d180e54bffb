"""A child of `run_module` that does what its request says. Run as `python -m children.step`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sluice.child_process import EventWriter, run_child
from sluice.errors import TrainingError


def act(request: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Emit, keep, start a grandchild, and end in the way that is asked for."""
    if "keep_until" in request:
        emit.keep(lambda event: event["n"] <= request["keep_until"])
    for number in request.get("emit", []):
        emit({"n": number})
    if "grandchild" in request:
        sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        Path(request["grandchild"]).write_text(f"{os.getpid()} {sleeper.pid}", encoding="utf-8")
        emit({"n": 0})
    sys.stdout.write("the last words\n")
    end = request.get("end")
    if end == "refuse":
        raise TrainingError("There is nothing to train on. Give it rows.")
    if end == "break":
        raise ValueError("broken")
    if end == "full":
        raise OSError(28, "No space left on device", "/disk/file")
    if end == "exit":
        os._exit(3)
    if end == "sleep":
        time.sleep(60)
    if end:
        os.kill(os.getpid(), getattr(signal, end))
    return {"emitted": len(request.get("emit", []))}


if __name__ == "__main__":
    run_child(act)
