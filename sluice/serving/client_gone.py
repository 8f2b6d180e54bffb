"""Stop working for a client that has hung up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import Request

T = TypeVar("T")


class ClientGone(Exception):  # noqa: N818 - an event, not an error
    """The client closed the connection before its answer was ready."""


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The result of some work, which is cancelled if the client goes.

    The request's body must have been read: what is received after it can only be the goodbye.

    Raises:
        ClientGone: the client went first.
    """
    task = asyncio.ensure_future(work)
    goodbye = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, goodbye}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        for pending in (task, goodbye):
            pending.cancel()
        await asyncio.gather(task, goodbye, return_exceptions=True)
