"""One line that says how far a data step is, while it lasts."""

from __future__ import annotations

from types import TracebackType

from rich.status import Status

from commands.console import console
from sluice.data.progress import Progress


class ProgressLine:
    """A line that is rewritten in place; on no terminal, or `quiet`, nothing is shown."""

    def __init__(self, *, quiet: bool) -> None:
        self._status = None if quiet else Status("reading", console=console)

    def __enter__(self) -> ProgressLine:
        if self._status:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, progress: Progress) -> None:
        """Show how far it is."""
        if self._status:
            self._status.update(progress.told)
