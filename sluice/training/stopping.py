"""SIGTERM while a training goes on: it finishes the step, leaves a checkpoint and ends."""

from __future__ import annotations

import signal
from typing import Any

from sluice.errors import TrainingError


class StopSignal:
    """Whether this process was asked to stop.

    Who asks waits some seconds before it kills (`child_process.end_group`: 10, a cluster's
    scheduler: often 30). A step that takes longer is lost, as with any kill.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def listen(self) -> None:
        """From now on SIGTERM asks to stop; before, it ends the process at once."""
        self._before = signal.signal(signal.SIGTERM, self._ask)

    def ignore(self) -> None:
        """The steps are over: SIGTERM does again what it did before."""
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def raise_if_asked(self, step: int, total: int) -> None:
        """End a training that was stopped before its last step.

        Raises:
            TrainingError: it was asked to stop.
        """
        if self.asked and step < total:
            raise TrainingError(
                f"Training was asked to stop (SIGTERM) and did, after step {step} of {total}. A "
                "checkpoint of that step is kept: run again to continue."
            )
