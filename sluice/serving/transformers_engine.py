"""Generate in this process: one base model, the adapters of all loaded versions, one lane.

All work on the models happens on one thread, first come, first served. That gives three guarantees
for free: an answer is made by one version from beginning to end; an adapter is never added or
removed under a running generation; and a version is let go only after the requests given to it,
since its removal queues behind them. Batching comes later, and will have to keep all three.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sluice.data.record import Message
from sluice.errors import IntegrityError
from sluice.home import cache_dir
from sluice.lake import Lake
from sluice.serving.engine import BASE, Event, Finished, Options, Started
from sluice.serving.generation import context_length, fitting, generate
from sluice.serving.pointer import Served
from sluice.serving.prompt import prompt_ids
from sluice.serving.refusal import RefusedError
from sluice.serving.settings import GatewaySettings
from sluice.serving.shared_base import SharedBase
from sluice.training.artifact import ADAPTER, TOKENIZER, TrainedModel
from sluice.training.base_model import CODE_OR_PICKLE, BaseModel, resolve_base
from sluice.training.loading import chosen_precision, load_tokenizer, use_threads

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Speaker:
    """All that answering as one version takes. `adapter` None is the bare base model."""

    version: str
    digest: str
    base: SharedBase
    adapter: str | None
    tokenizer: Any
    system_prompt: str | None


class TransformersEngine:
    """An `Engine` that runs transformers and PEFT in this process."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._lake = settings.home_layout.lake
        self._speakers: dict[str, _Speaker] = {}
        self._bases: dict[tuple[str, str], SharedBase] = {}
        self._plain: BaseModel | None = None  # what `base` answers with, once it was asked for
        self._one_load = asyncio.Lock()
        self._loading = threading.Lock()
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
            # Reading and hashing happen beside the lane: answers go on meanwhile.
            trained, base = await asyncio.to_thread(self._prepare, served)
            self._speakers[served.version] = await self._on_lane(
                lambda: self._speaker(served, trained, base)
            )

    async def unload(self, version: str) -> None:
        """Let a version go once the requests that were given to it are answered."""
        speaker = self._speakers.pop(version, None)
        if speaker is not None:
            await self._on_lane(lambda: self._release(speaker))

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
        self._bases.clear()

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
        prompt = prompt_ids(speaker.tokenizer, messages, speaker.system_prompt)
        with speaker.base.speaking_as(speaker.adapter) as model:
            room = fitting(options, len(prompt), context_length(model))
            emit(Started(speaker.version, speaker.digest, len(prompt)))
            fitted = replace(options, max_tokens=room)
            emit(generate(model, speaker.tokenizer, prompt, fitted, emit, cancelled))

    def _prepare(self, served: Served) -> tuple[TrainedModel, SharedBase]:
        verify_bytes(self._lake, served)
        trained = TrainedModel.read(self._lake.path(served.ref))
        return trained, self._shared(trained.find_base(cache_dir()), trained.precision)

    def _speaker(self, served: Served, trained: TrainedModel, base: SharedBase) -> _Speaker:
        folder = self._lake.path(served.ref)
        tokenizer = load_tokenizer(folder / TOKENIZER)
        adapter = base.add(folder / ADAPTER)
        with self._loading:  # the base may have been let go while this version waited its turn
            self._bases.setdefault((base.digest, trained.precision), base)
        return _Speaker(
            served.version, served.digest, base, adapter, tokenizer, trained.system_prompt
        )

    def _release(self, speaker: _Speaker) -> None:
        if speaker.adapter is not None:
            speaker.base.remove(speaker.adapter)
        kept = self._plain.digest if self._plain else None
        with self._loading:
            for key, base in list(self._bases.items()):
                if not base.adapters and base.digest != kept:
                    del self._bases[key]

    def _base_speaker(self) -> _Speaker:
        settings = self._settings
        if settings.base is None:
            raise RefusedError(
                404, "model_not_found", "This gateway was started without a base model."
            )
        if self._plain is None:
            self._plain = resolve_base(settings.base, settings.revision, cache_dir())
        base = self._shared(self._plain, None)
        return _Speaker(BASE, base.digest, base, None, base.tokenizer, settings.system_prompt)

    def _shared(self, found: BaseModel, precision: str | None) -> SharedBase:
        # None: any copy will do, so that answers of `base` need no second one beside a version's.
        with self._loading:
            for (digest, held_precision), base in self._bases.items():
                if digest == found.digest and precision in (None, held_precision):
                    return base
            wanted = precision or chosen_precision(self._settings.precision)
            base = SharedBase(found.folder, found.digest, wanted)
            self._bases[found.digest, wanted] = base
            return base


def verify_bytes(lake: Lake, served: Served) -> None:
    """Compare a version's files with its digest, and refuse what could run code when read.

    Raises:
        IntegrityError: they differ, are missing, or there is pickle or Python among them.
    """
    try:
        lake.verify(served.ref)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"{served.folder}: its manifest or files cannot be read ({type(error).__name__}). "
            "Nothing was loaded; run the recipe again to rebuild it."
        ) from error
    folder = lake.path(served.ref)
    unsafe = sorted(p.name for p in folder.rglob("*") if p.suffix in CODE_OR_PICKLE)
    if unsafe:
        raise IntegrityError(
            f"{served.folder} holds {len(unsafe)} files that can run code when they are read "
            f"({', '.join(unsafe[:3])}). Only safetensors and JSON are loaded; train again."
        )


def _require_same(held: _Speaker, served: Served) -> None:
    if held.digest != served.digest:
        raise RefusedError(
            409,
            "version_conflict",
            f"Version {served.version} is loaded with digest {held.digest[:12]}, not "
            f"{served.digest[:12]}. A version never changes its bytes: register a new one.",
        )
