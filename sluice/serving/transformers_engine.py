"""Generate in this process: a model for each loaded version, over shared bases, and one lane.

All answers are made on one thread, first come, first served; each version has modules of its own.
So an answer is made by one version from beginning to end; nothing is added to a model, or taken
from it, under a running generation; and a version is let go only after the requests given to it,
since its removal queues behind them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from sluice.data.record import Message
from sluice.home import cache_dir
from sluice.serving.arrival import require_trained, verify_bytes
from sluice.serving.engine import BASE, Event, Finished, Options, Started
from sluice.serving.generation import context_length, fitting, generate
from sluice.serving.held_models import HeldModel, HeldModels, collect_let_go
from sluice.serving.pointer import Served
from sluice.serving.refusal import RefusedError
from sluice.serving.settings import GatewaySettings
from sluice.training.artifact import PROBE
from sluice.training.base_model import resolve_base
from sluice.training.chat import prompt_ids
from sluice.training.hardware import chosen_precision
from sluice.training.loading import use_threads

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Speaker:
    """All that answering as one version takes."""

    version: str
    digest: str
    held: HeldModel
    system_prompt: str | None


class TransformersEngine:
    """An `Engine` that runs transformers and PEFT in this process."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._lake = settings.home_layout.lake
        self._speakers: dict[str, _Speaker] = {}
        self._models = HeldModels()
        self._base: _Speaker | None = None  # what `base` answers with, once it was asked for
        self._one_load = asyncio.Lock()
        self._cancels: set[threading.Event] = set()
        # The number of threads is set on the lane itself: it belongs to the thread that computes.
        self._lane = ThreadPoolExecutor(
            1, "generation", initializer=use_threads, initargs=(settings.threads,)
        )

    def loaded(self) -> frozenset[str]:
        """The versions in memory, without `base`."""
        return frozenset(self._speakers)

    async def load(self, served: Served) -> None:
        """Verify a version's bytes and hold it beside the others; no-op if it is held already."""
        async with self._one_load:
            held = self._speakers.get(served.version)
            if held is not None:
                _require_same(held, served)
                return
            # Hashing and loading happen beside the lane: answers go on meanwhile.
            speaker, precision = await asyncio.to_thread(self._prepare, served)
            await self._on_lane(lambda: self._try_out(served, speaker, precision))
            self._speakers[served.version] = speaker

    async def unload(self, version: str) -> None:
        """Let a version go once the requests that were given to it are answered."""
        if self._speakers.pop(version, None) is not None:
            await self._on_lane(self._release)  # behind the answers that still hold it

    def stream(
        self, version: str, messages: Sequence[Message], options: Options
    ) -> AsyncGenerator[Event, None]:
        """Answer a conversation; see `Engine.stream`."""
        speaker = None if version == BASE else self._speakers[version]
        events: asyncio.Queue[Event | BaseException] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        cancelled = threading.Event()

        def emit(event: Event | BaseException) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event)

        def answer() -> None:
            try:
                if not cancelled.is_set():
                    self._answer(
                        speaker or self._base_speaker(), messages, options, emit, cancelled
                    )
            except Exception as error:  # whatever it is, it belongs to the one who asked
                emit(error)

        self._lane.submit(answer)  # now, not when first iterated: this is what pins the version
        self._cancels.add(cancelled)
        return self._events(events, cancelled)

    async def close(self) -> None:
        """Stop all generation and free the models."""
        for cancelled in self._cancels:
            cancelled.set()
        await asyncio.to_thread(self._lane.shutdown, cancel_futures=True)
        self._speakers.clear()
        self._base = None

    async def _events(
        self, events: asyncio.Queue[Event | BaseException], cancelled: threading.Event
    ) -> AsyncGenerator[Event, None]:
        try:
            while True:
                event = await events.get()
                if isinstance(event, BaseException):
                    raise event
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            cancelled.set()
            self._cancels.discard(cancelled)

    async def _on_lane(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._lane, work)

    def _answer(
        self,
        speaker: _Speaker,
        messages: Sequence[Message],
        options: Options,
        emit: Callable[[Event], None],
        cancelled: threading.Event,
    ) -> None:
        model, tokenizer = speaker.held.model, speaker.held.tokenizer
        prompt = prompt_ids(tokenizer, messages, speaker.system_prompt)
        room = fitting(options, len(prompt), context_length(model))
        emit(Started(speaker.version, speaker.digest, len(prompt)))
        fitted = replace(options, max_tokens=room)
        emit(generate(model, tokenizer, prompt, fitted, emit, cancelled))

    def _prepare(self, served: Served) -> tuple[_Speaker, str]:
        facts = verify_bytes(self._lake, served)
        base = facts.find_base(cache_dir())
        held = self._models.trained(self._lake.path(served.ref), facts, base)
        speaker = _Speaker(served.version, served.digest, held, facts.system_prompt)
        return speaker, facts.precision

    def _try_out(self, served: Served, speaker: _Speaker, precision: str) -> None:
        held, probe = speaker.held, self._lake.path(served.ref) / PROBE
        with torch.inference_mode():  # as when it generates
            require_trained(held.model, held.tokenizer, probe, precision)

    def _release(self) -> None:
        if self._speakers:
            self._base = None  # it may have stood over the weights of the version that goes
        collect_let_go()

    def _base_speaker(self) -> _Speaker:
        settings = self._settings
        if settings.base is None:
            raise RefusedError(
                404, "model_not_found", "This gateway was started without a base model."
            )
        if self._base is None:
            found = resolve_base(
                settings.base, settings.revision, cache_dir(), settings.trust_remote_code
            )
            precision = chosen_precision(settings.precision)
            held = self._models.bare(found, precision, settings.chat_template)
            self._base = _Speaker(BASE, found.digest, held, settings.system_prompt)
        return self._base


def _require_same(held: _Speaker, served: Served) -> None:
    if held.digest != served.digest:
        raise RefusedError(
            409,
            "version_conflict",
            f"Version {served.version} is loaded with digest {held.digest[:12]}, not "
            f"{served.digest[:12]}. A version never changes its bytes: register a new one.",
        )
