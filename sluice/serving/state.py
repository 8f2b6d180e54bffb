"""What the routes share."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import cast

from fastapi import Request

from sluice.serving.engine import Engine
from sluice.serving.refusal import RefusedError
from sluice.serving.request_log import RequestLog
from sluice.serving.settings import GatewaySettings
from sluice.serving.versions import Versions

LONGEST_LINE = 64  # requests under way at once; more would only wait until their clients give up


class Line:
    """Counts the requests under way, and refuses what could only wait."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self.length = 0

    @contextlib.contextmanager
    def place(self) -> Generator[None]:
        """A place in the line, for as long as the block runs.

        Raises:
            RefusedError: the line is full.
        """
        if self.length >= self._longest:
            raise RefusedError(
                429,
                "busy",
                f"{self.length} requests are waiting already. Try again in a few seconds.",
                retry_after=2,
            )
        self.length += 1
        try:
            yield
        finally:
            self.length -= 1


@dataclass(frozen=True, slots=True)
class GatewayState:
    """The parts of one gateway. `token` is what /admin asks for; `requests` is None if no answers
    are kept."""

    settings: GatewaySettings
    engine: Engine
    versions: Versions
    token: str
    line: Line
    requests: RequestLog | None = None


def state_of(request: Request) -> GatewayState:
    """The parts of the gateway that a request has reached."""
    return cast("GatewayState", request.app.state.gateway)
