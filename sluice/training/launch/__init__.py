"""Start the trainer: here, on several processes of this machine, or on a cluster.

Each launcher is a module that runs as one process: it reads the request, leaves events and one
result, and nothing that it started outlives it. So the caller sees no difference between them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice.child_process import Event, run_module
from sluice.errors import TrainingError
from sluice.training.request import TrainingRequest

MODULES = {
    "local": "sluice.training.worker",
    "accelerate": "sluice.training.launch.one_machine",
    "ray": "sluice.training.launch.cluster",
}


def launched(
    request: TrainingRequest, work: Path, on_event: Callable[[Event], None]
) -> dict[str, Any]:
    """Train as the request's launcher says; returns the facts that the trainer reports.

    Raises:
        TrainingError: the training failed, one of its processes was killed, or it took too long.
    """
    return run_module(
        MODULES[request.settings.launcher.kind],
        request.to_json(),
        work,
        on_event=on_event,
        timeout_seconds=request.settings.timeout_minutes * 60,
        error=TrainingError,
    )
