"""The route by which users rate answers. It asks for no token, like the chat itself: the id of an
answer is known only to whoever was given that answer."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from sluice.serving.chat_request import Text
from sluice.serving.refusal import RefusedError
from sluice.serving.state import state_of

MAX_CORRECTION_CHARS = 100_000
router = APIRouter()


class Feedback(BaseModel):
    """What a user says of an answer. A `correction` is the answer that should have been given."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[Text, Field(min_length=1, max_length=128)]
    rating: Literal["good", "bad"]
    correction: Annotated[Text, Field(max_length=MAX_CORRECTION_CHARS)] | None = None


@router.post("/v1/feedback")
async def feedback(request: Request, body: Feedback) -> dict[str, str]:
    """Keep a rating, and a better answer if one is given; the last about an answer holds."""
    log = state_of(request).requests
    if log is None:
        raise RefusedError(
            404,
            "no_request_log",
            "This gateway keeps no answers, so none can be rated. `serving.log_requests: true` in "
            "the recipe lets it keep them.",
        )
    correction = (body.correction or "").strip() or None
    try:
        known = await asyncio.to_thread(log.rate, body.id, body.rating, correction)
    except OSError as error:
        raise RefusedError(503, "not_kept", f"It could not be written: {error}.") from error
    if not known:
        raise RefusedError(
            404,
            "unknown_answer",
            "No answer with this id was kept. It is the `id` of the chat completion.",
        )
    return {"id": body.id, "rating": body.rating}
