"""The seam between the gateway and what generates tokens.

The gateway decides which version answers; an engine holds versions in memory and lets them speak.
An answer is a series of events: one `Started`, some `Piece`s, one `Finished`. The pieces joined
are the whole answer.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from sluice.data.record import Message
from sluice.serving.pointer import Served

BASE = "base"  # the name under which the base model, without any adapter, answers

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to generate. `max_tokens` counts the answer only; `temperature` 0 is greedy.

    Without a `seed`, sampling differs from request to request. A `stop` string ends the answer and
    is not part of it.
    """

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """Generation begins. `version` and `digest` name what answers: all of the answer, or none."""

    version: str
    digest: str
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of the answer: whole characters, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is over. `completion_tokens` excludes the token that ended it."""

    reason: FinishReason
    completion_tokens: int


Event = Started | Piece | Finished


class Engine(Protocol):
    """Holds versions in memory and answers with them. All calls come from one event loop."""

    def loaded(self) -> frozenset[str]:
        """The versions in memory, without `base`."""
        ...

    async def load(self, served: Served) -> None:
        """Verify a version's bytes and hold it beside the others; no-op if it is held already.

        Raises:
            IntegrityError: its bytes are not those that the digest names. Nothing was loaded.
            SluiceError: it cannot be loaded for another reason.
        """
        ...

    async def unload(self, version: str) -> None:
        """Let a version go once the requests that were given to it are answered."""
        ...

    def stream(
        self, version: str, messages: Sequence[Message], options: Options
    ) -> AsyncGenerator[Event, None]:
        """Answer a conversation with a loaded version, or with `base`.

        The version is pinned by the call itself, before anything is awaited: what is loaded,
        unloaded or switched later does not touch this answer. Closing the generator stops the
        generation.

        Raises:
            RefusedError: while iterating and before `Started`; the prompt does not fit.
        """
        ...

    async def close(self) -> None:
        """Stop all generation and free the models."""
        ...
