"""A training that runs out of memory goes on with smaller batches, and says so.

Batches are halved and the accumulation raised such that an optimizer step sees the same rows in
the same order: the trained weights differ by rounding only. It restarts in a new process, from the
newest checkpoint: what held the memory is gone with the old one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sluice.child_process import EVENTS, Event, EventWriter
from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.launch import launched
from sluice.training.request import TrainingRequest


def recovering(
    request: TrainingRequest, work: Path, on_event: Callable[[Event], None]
) -> dict[str, Any]:
    """Train, with smaller batches where memory does not suffice; returns the trainer's facts.

    Raises:
        TrainingError: the training failed, or one row at a time is still too much.
    """
    while True:
        begun = _Begun(on_event)
        try:
            return launched(request, work, begun)
        except TrainingError as error:
            if not isinstance(error.__cause__, MemoryError):
                raise
            request = _smaller(request, error, begun=begun.begun)
            _tell(work, request.settings)


class _Begun:
    """Passes events on, and remembers whether the steps had begun."""

    def __init__(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        self.begun = False

    def __call__(self, event: Event) -> None:
        self.begun = self.begun or event.get("kind") == "start"
        self._on_event(event)


def _smaller(request: TrainingRequest, error: TrainingError, *, begun: bool) -> TrainingRequest:
    if not begun:
        raise TrainingError(
            "The model and its optimizer do not fit into memory, before the first row is read. "
            "Take `training.method: qlora`, a smaller `model.base`, or a machine with more "
            f"memory. {error}"
        ) from error
    batch, accumulation = halved(
        request.settings.batch_size, request.settings.gradient_accumulation
    )
    if batch == request.settings.batch_size:
        raise TrainingError(
            "Memory does not suffice for one row at a time. Lower `training.max_length`, set "
            "`training.gradient_checkpointing: on`, or take `training.method: qlora`; the last "
            f"checkpoint is kept only for these settings. {error}"
        ) from error
    update = {"batch_size": batch, "gradient_accumulation": accumulation}
    return replace(request, settings=request.settings.model_copy(update=update))


def halved(batch: int, accumulation: int) -> tuple[int, int]:
    """A batch of at most half as many rows, and the accumulation that keeps their product.

    A batch of one row is returned as it is.
    """
    rows = batch * accumulation
    smaller = next((n for n in range(batch // 2, 0, -1) if rows % n == 0), batch)
    return smaller, rows // smaller


def _tell(work: Path, settings: TrainingSection) -> None:
    text = (
        "Memory did not suffice: training goes on from the newest checkpoint with "
        f"`batch_size: {settings.batch_size}` and "
        f"`gradient_accumulation: {settings.gradient_accumulation}`, the same rows at each step. "
        "Put these into the recipe to begin with them."
    )
    with contextlib.closing(EventWriter(work / EVENTS)) as emit:
        emit({"kind": "notice", "text": text})
