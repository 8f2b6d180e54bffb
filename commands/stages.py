"""Stages of a long command, each a line once it is done, and a bar for the one under way."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from rich.markup import escape

from commands.follow import bar_of, progress_shown, step_line


class Stages:
    """Shows stages while they go on; `quiet`, nothing is shown."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._detail = ""
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Stages:
        if not self._quiet:
            self._progress = self._stack.enter_context(progress_shown())
            self._bar = self._progress.add_task("starting", total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def of(self, name: str) -> Iterator[None]:
        """One stage; it is told with its time when the block ends well."""
        started, self._detail = time.monotonic(), ""
        self.show(name)
        yield
        if not self._quiet:
            self._progress.print(step_line(name, time.monotonic() - started, self._detail))

    def tell(self, detail: str) -> None:
        """What came of the stage, for its line."""
        self._detail = detail

    def show(self, what: str) -> None:
        """What is being done, of which nobody knows how much is left."""
        if not self._quiet:
            self._progress.reset(self._bar, total=None, description=escape(what))

    def follow(self, event: dict[str, Any]) -> None:
        """Take an event of the trainer's."""
        shown = None if self._quiet else bar_of(event)
        if shown:
            text, done, total = shown
            self._progress.update(self._bar, description=text, completed=done, total=total)
