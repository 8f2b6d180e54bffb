"""Start the trainer: here, on several processes of this machine, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice.child_process import Event, run_module
from sluice.errors import TrainingError
from sluice.training.request import TrainingRequest

MODULE = "sluice.training.worker"


def launched(
    request: TrainingRequest, work: Path, on_event: Callable[[Event], None]
) -> dict[str, Any]:
    """Train as the request's launcher says; returns the facts that the trainer reports.

    Raises:
        TrainingError: the training failed, was killed, or took too long.
    """
    return run_module(
        MODULE,
        request.to_json(),
        work,
        on_event=on_event,
        timeout_seconds=request.settings.timeout_minutes * 60,
        error=TrainingError,
    )
