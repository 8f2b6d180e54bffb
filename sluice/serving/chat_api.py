"""The routes for everyone: chat completions in OpenAI's form, models, health, readiness."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from sluice.data.record import Message as Turn
from sluice.serving.chat_request import ChatRequest
from sluice.serving.client_gone import unless_gone
from sluice.serving.engine import Event, Finished, Piece, Started
from sluice.serving.error_shape import error_body
from sluice.serving.names import asked_version, known_names, served_name
from sluice.serving.pointer import Served
from sluice.serving.request_log import Answered, RequestLog, new_answer_id
from sluice.serving.state import GatewayState, state_of

log = logging.getLogger(__name__)
router = APIRouter()


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer that has begun: what names it in every chunk, and the events still to come.

    `log` keeps the answer to `asked` once it is whole, if the gateway keeps answers.
    """

    id: str
    created: int
    model: str
    started: Started
    rest: AsyncGenerator[Event, None]
    asked: list[Turn]
    log: RequestLog | None

    async def keep(self, text: str, finished: Finished) -> None:
        if self.log is not None:
            version, reason = self.started.version, finished.reason
            answered = Answered(self.id, self.model, version, self.asked, text, reason)
            await asyncio.to_thread(self.log.note, answered)

    @property
    def headers(self) -> dict[str, str]:
        return {"x-sluice-version": self.started.version, "x-sluice-digest": self.started.digest}

    def shape(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.started.digest[:12],
            "choices": choices,
        }

    def usage(self, finished: Finished) -> dict[str, int]:
        prompt, completion = self.started.prompt_tokens, finished.completion_tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


@router.post("/v1/chat/completions")
async def chat_completions(request: Request, body: ChatRequest) -> Response:
    """Answer a conversation, whole or as a stream of server-sent events."""
    state = state_of(request)
    with contextlib.ExitStack() as leaving:
        leaving.enter_context(state.line.place())
        answer = await _begun(request, state, body)
        if body.stream:
            usage = body.stream_options is not None and body.stream_options.include_usage
            return _EventStream(answer, usage=usage, leaving=leaving.pop_all())
        whole = await unless_gone(request, _whole(answer))
        return JSONResponse(whole, headers=answer.headers)


async def _begun(request: Request, state: GatewayState, body: ChatRequest) -> _Answer:
    # From the choice of the version to its pinning nothing is awaited: no swap comes between.
    settings, versions = state.settings, state.versions
    version = asked_version(
        body.model,
        settings.model,
        versions.champion,
        state.engine.loaded(),
        base=settings.base is not None,
    )
    options, asked = body.options(settings.max_new_tokens), body.plain_messages()
    events = state.engine.stream(version, asked, options)
    started = await unless_gone(request, anext(events))  # a refusal comes here, before any header
    if not isinstance(started, Started):
        raise TypeError(f"the engine began an answer with {started}")
    name = served_name(settings.model, version)
    now = datetime.now(UTC)
    return _Answer(
        id=new_answer_id(now),
        created=int(now.timestamp()),
        model=name,
        started=started,
        rest=events,
        asked=asked,
        log=state.requests,
    )


async def _whole(answer: _Answer) -> dict[str, Any]:
    text: list[str] = []
    finished = Finished("stop", 0)
    async for event in answer.rest:
        if isinstance(event, Piece):
            text.append(event.text)
        elif isinstance(event, Finished):
            finished = event
    await answer.keep("".join(text), finished)
    message = {"role": "assistant", "content": "".join(text)}
    choice = {"index": 0, "message": message, "finish_reason": finished.reason, "logprobs": None}
    return {**answer.shape("chat.completion", [choice]), "usage": answer.usage(finished)}


class _EventStream(StreamingResponse):
    """An answer as server-sent events. Its generation ends when the client goes."""

    def __init__(self, answer: _Answer, *, usage: bool, leaving: contextlib.ExitStack) -> None:
        super().__init__(
            _chunks(answer, usage=usage),
            media_type="text/event-stream",
            # A proxy that collects the pieces would turn the stream into one late answer.
            headers={**answer.headers, "cache-control": "no-cache", "x-accel-buffering": "no"},
        )
        self._answer = answer
        self._leaving = leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._leaving:
            async with contextlib.aclosing(self._answer.rest):
                await super().__call__(scope, receive, send)


async def _chunks(answer: _Answer, *, usage: bool) -> AsyncIterator[str]:
    kind = "chat.completion.chunk"
    text: list[str] = []
    yield _sse(answer.shape(kind, [_delta({"role": "assistant", "content": ""})]))
    try:
        async for event in answer.rest:
            if isinstance(event, Piece):
                text.append(event.text)
                yield _sse(answer.shape(kind, [_delta({"content": event.text})]))
            elif isinstance(event, Finished):
                await answer.keep("".join(text), event)
                yield _sse(answer.shape(kind, [_delta({}, event.reason)]))
                if usage:
                    yield _sse({**answer.shape(kind, []), "usage": answer.usage(event)})
    except Exception:  # the status is sent already: all that is left is to say so in the stream
        log.exception("Generation failed in the middle of an answer")
        yield _sse(error_body(500, "generation_failed", "The answer broke off; ask again."))
        return
    yield "data: [DONE]\n\n"


def _delta(delta: dict[str, str], reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}


def _sse(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"


@router.get("/v1/models")
async def models(request: Request) -> dict[str, Any]:
    """All names that a request may ask for."""
    state = state_of(request)
    names = known_names(
        state.settings.model, state.engine.loaded(), base=state.settings.base is not None
    )
    entries = [
        {"id": name, "object": "model", "created": 0, "owned_by": "sluice"} for name in names
    ]
    return {"object": "list", "data": entries}


@router.get("/health")
async def health() -> dict[str, str]:
    """The process is alive. Whether it can answer is `/ready`'s business."""
    return {"status": "alive"}


@router.get("/ready")
async def ready(request: Request) -> JSONResponse:
    """200 with what answers for the served name, or 503 with the reason why nothing does."""
    state = state_of(request)
    versions = state.versions
    reason = versions.trouble
    serving = versions.pointer.current if reason is None else None
    facts = {
        "ready": reason is None,
        "model": state.settings.model,
        "version": serving.version if serving else None,
        "digest": serving.digest if serving else None,
        "previous": _brief(versions.pointer.previous),
        "staged": _brief(versions.staged),
        "reason": reason,
    }
    return JSONResponse(facts, status_code=200 if reason is None else 503)


def _brief(served: Served | None) -> dict[str, str] | None:
    return None if served is None else {"version": served.version, "digest": served.digest}
