"""An engine without a model, for tests of the gateway around it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from sluice.data.record import Message
from sluice.errors import IntegrityError
from sluice.serving.engine import BASE, Event, Finished, Options, Piece, Started
from sluice.serving.pointer import Served


def served(number: int) -> Served:
    """A version whose digest is made of its number."""
    digest = f"{number:064x}"
    return Served(str(number), digest, f"models/{digest}")


class FakeEngine:
    """Answers `<version>: <last message>` word by word. Its flaws are set by tests."""

    def __init__(self) -> None:
        self.held: dict[str, Served] = {}
        self.asked: list[tuple[str, list[Message], Options]] = []
        self.tampered: set[str] = set()
        self.silent: set[str] = set()
        self.breaks: dict[str, Exception] = {}
        self.open = 0
        self.hold: asyncio.Event | None = None

    def loaded(self) -> frozenset[str]:
        return frozenset(self.held)

    async def load(self, served: Served) -> None:
        await asyncio.sleep(0)
        if served.version in self.tampered:
            raise IntegrityError(f"{served.folder}: 1 of 5 files differ from the manifest.")
        if served.version in self.breaks:
            raise self.breaks[served.version]
        self.held.setdefault(served.version, served)

    async def unload(self, version: str) -> None:
        await asyncio.sleep(0)
        self.held.pop(version, None)

    def stream(
        self, version: str, messages: Sequence[Message], options: Options
    ) -> AsyncGenerator[Event, None]:
        digest = "b" * 64 if version == BASE else self.held[version].digest
        self.asked.append((version, list(messages), options))
        return self._events(version, digest, messages[-1].content)

    async def _events(
        self, version: str, digest: str, question: str
    ) -> AsyncGenerator[Event, None]:
        self.open += 1
        try:
            yield Started(version, digest, prompt_tokens=7)
            if self.hold is not None:
                await self.hold.wait()
            words = [] if version in self.silent else f"{version}: {question}".split(" ")
            for index, word in enumerate(words):
                await asyncio.sleep(0)
                if word == "CRASH":
                    raise RuntimeError("out of memory")
                yield Piece(word if index == 0 else f" {word}")
            yield Finished("stop", len(words))
        finally:
            self.open -= 1

    async def close(self) -> None:
        self.held.clear()
