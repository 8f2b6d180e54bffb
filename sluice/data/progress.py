"""How far a data step is: stage, rows per second, time left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sluice.data.compute import Done, Engine, untold

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Progress:
    """One pass over the rows of a stage: `done` of its `of` parts, after `seconds`."""

    stage: str
    rows: int
    done: int
    of: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """Rows of this pass in a second, so far."""
        return self.rows * self.done / self.of / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float:
        """How long this pass still takes, if it goes on like this."""
        return self.seconds * (self.of - self.done) / max(self.done, 1)

    @property
    def told(self) -> str:
        """For a log or a terminal."""
        return (
            f"{self.stage}: part {self.done} of {self.of}, {self.rows_per_second:,.0f} rows/s, "
            f"{self.seconds_left:.0f} s left"
        )


Tell = Callable[[Progress], None]


class WatchedEngine:
    """An engine whose passes are told to somebody, under the name of the present stage."""

    def __init__(self, engine: Engine, tell: Tell) -> None:
        """Tell `tell` of each part that is done."""
        self._engine, self._tell = engine, tell
        self._stage, self._rows = "", 0

    def begin(self, stage: str, rows: int) -> None:
        """From here on it is this stage, over so many rows."""
        self._stage, self._rows = stage, rows

    def map(self, function: Callable[[T], R], items: Sequence[T], done: Done = untold) -> list[R]:
        """The result of each item."""
        started = time.monotonic()

        def told(count: int, of: int) -> None:
            done(count, of)
            seconds = time.monotonic() - started
            self._tell(Progress(self._stage, self._rows, count, of, seconds))

        return self._engine.map(function, items, told)


def untold_progress(_progress: Progress) -> None:
    """Nobody wants to know."""
