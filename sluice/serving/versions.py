"""Which version answers: stage, switch, roll back, and what is kept in memory for that.

At most three versions are held: the current one, the previous one (so that going back is only a
flip of the pointer), and one that is staged. Requests never wait for a change, and a rollback
does not wait for a version that is being staged. A pointer is stored before it takes effect, so a
gateway that dies at any moment serves, started again, what it last promised or the one before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from sluice.data.record import Message
from sluice.errors import ServingError, SluiceError
from sluice.serving.engine import Engine, Options, Piece
from sluice.serving.pointer import (
    Pointer,
    Served,
    advanced,
    read_pointer,
    rolled_back,
    write_pointer,
)
from sluice.serving.refusal import RefusedError

SMOKE_TOKENS = 32  # enough to see that a version speaks; the gate has judged how well
LOADING = "The gateway has just started and is still loading its model."
EMPTY = "No version has been promoted yet. Ask for the model `base`, or promote a version."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Smoke:
    """The answer of a version to the smoke question, and how long loading and answering took."""

    answer: str
    seconds: float


class Versions:
    """The pointer, the staged version, and the rules for changing them."""

    def __init__(self, engine: Engine, folder: Path, smoke_question: str) -> None:
        """`folder` is the home's `serving` folder.

        Raises:
            ServingError: the stored pointer cannot be read.
        """
        self._engine = engine
        self._folder = folder
        self._question = smoke_question
        self._staging = asyncio.Lock()  # held for as long as loading and the smoke question take
        self._change = asyncio.Lock()  # held for the flip of the pointer
        self._arriving: Served | None = None
        self._releasing: set[asyncio.Task[None]] = set()
        self._trouble = LOADING
        self.pointer = read_pointer(folder)
        self.staged: Served | None = None

    @property
    def trouble(self) -> str | None:
        """Why the served name cannot answer now; None if it can."""
        current = self.pointer.current
        if current is None:
            return EMPTY
        return None if current.version in self._engine.loaded() else self._trouble

    def champion(self) -> Served:
        """The version that answers for the served name.

        Raises:
            RefusedError: there is none, or it is not in memory.
        """
        trouble = self.trouble
        if trouble is not None or self.pointer.current is None:
            code = "no_champion" if self.pointer.current is None else "not_ready"
            raise RefusedError(503, code, trouble or EMPTY, retry_after=5)
        return self.pointer.current

    async def restore(self) -> None:
        """Load what the pointer names, each verified.

        If the current version cannot be loaded, nothing else takes its place: another version
        than the approved one would be served without anybody's decision. The gateway stays up,
        says why it is not ready, and holds the previous version warm for a rollback.
        """
        self._trouble = await self._failure(self.pointer.current) or LOADING
        trouble = await self._failure(self.pointer.previous)
        if trouble is not None:
            log.warning("The version to roll back to cannot be loaded. %s", trouble)
        self._release_others()

    async def stage(self, served: Served) -> Smoke:
        """Verify a version, load it beside the current one, and hear it answer once.

        Raises:
            RefusedError: it does not load, or says nothing. Then nothing has changed.
            IntegrityError: its bytes are not those that the digest names.
        """
        async with self._staging:
            started = time.perf_counter()
            self._arriving = served
            try:
                await self._load(served)
                answer = await self._smoke(served)
                if served not in (self.pointer.current, self.pointer.previous):
                    self.staged = served
            finally:
                self._arriving = None
                self._release_others()  # the one staged before, or this one if it failed
            return Smoke(answer, time.perf_counter() - started)

    async def switch(self, served: Served, expect_current: str | None) -> bool:
        """Let a loaded version answer from now on; False if it already did.

        Args:
            served: the version; its digest must be the one that was staged.
            expect_current: the version that the caller believes to be current, None for none.

        Raises:
            RefusedError: another version is current, or this one is not loaded.
        """
        async with self._change:
            current = self.pointer.current
            if current == served and served.version in self._engine.loaded():
                return False
            self._require_current(expect_current)
            warm = served.version in self._engine.loaded()
            if not warm or served not in (self.staged, self.pointer.previous):
                raise RefusedError(
                    409,
                    "not_staged",
                    f"Version {served.version} with digest {served.digest[:12]} is not loaded. "
                    "Stage it first.",
                )
            await self._point(advanced(self.pointer, served))
            return True

    async def rollback(self, expect_current: str | None = None) -> Pointer:
        """Let the previous version answer again; returns the new pointer.

        Args:
            expect_current: the version to go back from. None: whichever is current; then a
                call that is repeated because its answer was lost goes forward again.

        Raises:
            RefusedError: there is no previous version, or another one is current.
            IntegrityError: the previous version is not warm and does not verify.
        """
        async with self._change:
            if expect_current is not None:
                self._require_current(expect_current)
            try:
                pointer = rolled_back(self.pointer)
            except ServingError as error:
                raise RefusedError(409, "no_previous", str(error)) from error
            if pointer.current is not None:
                await self._load(pointer.current)
            await self._point(pointer)
            return pointer

    async def unstage(self) -> Served | None:
        """Let go of the staged version; returns it, None if there was none."""
        async with self._change:
            staged, self.staged = self.staged, None
            self._release_others()
            return staged

    def _require_current(self, expected: str | None) -> None:
        current = self.pointer.current.version if self.pointer.current else None
        if current != expected:
            raise RefusedError(
                409,
                "current_changed",
                f"Current is {_named(current)}, not {_named(expected)}: something else was "
                "promoted or rolled back meanwhile. Nothing was changed; look again and decide.",
            )

    async def _point(self, pointer: Pointer) -> None:
        try:
            await asyncio.to_thread(write_pointer, self._folder, pointer)
        except OSError as error:
            raise RefusedError(
                503,
                "pointer_not_stored",
                f"The pointer could not be stored in {self._folder} ({error.strerror}), so nothing "
                "was changed. Free some space or fix the folder, then try again.",
            ) from error
        self.pointer = pointer  # the flip: requests that arrive from here on get the new version
        if self.staged in (pointer.current, pointer.previous):
            self.staged = None
        self._release_others()

    def _release_others(self) -> None:
        # Beside the caller: a version is let go behind all requests that it still has to answer.
        held = (self.pointer.current, self.pointer.previous, self.staged, self._arriving)
        kept = {served.version for served in held if served is not None}
        for version in self._engine.loaded() - kept:
            task = asyncio.create_task(self._engine.unload(version))
            self._releasing.add(task)
            task.add_done_callback(self._released)

    def _released(self, task: asyncio.Task[None]) -> None:
        self._releasing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("A version could not be unloaded", exc_info=task.exception())

    async def _failure(self, served: Served | None) -> str | None:
        if served is None:
            return None
        try:
            await self._load(served)
        except SluiceError as error:
            return f"Version {served.version} is not served: {error}"
        return None

    async def _load(self, served: Served) -> None:
        try:
            await self._engine.load(served)
        except SluiceError:
            raise
        except Exception as error:  # torch, PEFT and transformers raise from unrelated trees
            log.exception("Version %s could not be loaded", served.version)
            raise RefusedError(
                422,
                "load_failed",
                f"Version {served.version} verifies but cannot be loaded "
                f"({type(error).__name__}: {error}). Nothing was changed.",
            ) from error

    async def _smoke(self, served: Served) -> str:
        question = [Message("user", self._question)]
        events = self._engine.stream(served.version, question, Options(max_tokens=SMOKE_TOKENS))
        try:
            answer = "".join([event.text async for event in events if isinstance(event, Piece)])
        except SluiceError:
            raise
        except Exception as error:
            log.exception("Version %s failed at the smoke question", served.version)
            answer, trouble = "", f"failed at the smoke question ({type(error).__name__}: {error})"
        else:
            trouble = "answered the smoke question with nothing"
        if answer.strip():
            return answer
        raise RefusedError(
            422,
            "smoke_failed",
            f"Version {served.version} {trouble}. It was not staged, and nothing was changed. "
            "Look at its answers in the evaluation report, then train again.",
        )


def _named(version: str | None) -> str:
    return "no version" if version is None else f"version {version}"
