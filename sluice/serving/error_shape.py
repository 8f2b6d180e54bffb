"""Every error as OpenAI's clients expect it: `{"error": {"message", "type", "code"}}`."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sluice.errors import IntegrityError, SluiceError
from sluice.serving.client_gone import ClientGone
from sluice.serving.refusal import RefusedError

TYPES = {401: "authentication_error", 429: "rate_limit_error"}
CLIENT_CLOSED_REQUEST = 499  # nginx's number; nobody reads it, it only ends the handler
SHOWN = 3  # mistakes in a request that are told at once

log = logging.getLogger(__name__)


def error_body(status: int, code: str, message: str) -> dict[str, Any]:
    """The body of an error answer."""
    kind = "server_error" if status >= 500 else TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def add_error_handlers(app: FastAPI) -> None:
    """Let the app answer in this shape whatever goes wrong."""
    for kind, handler in {
        RefusedError: _refused,
        SluiceError: _explained,
        RequestValidationError: _invalid,
        HTTPException: _http,
        ClientGone: _gone,
        Exception: _unexpected,
    }.items():
        app.add_exception_handler(kind, handler)


def _answer(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    sendable = message.encode(errors="backslashreplace").decode()  # it may quote the request
    return JSONResponse(error_body(status, code, sendable), status_code=status, headers=headers)


async def _refused(request: Request, error: Any) -> JSONResponse:
    wait = error.retry_after
    headers = None if wait is None else {"retry-after": str(wait)}
    return _answer(error.status, error.code, str(error), headers)


async def _explained(request: Request, error: Any) -> JSONResponse:
    if isinstance(error, IntegrityError):
        return _answer(422, "integrity", str(error))
    return _answer(503, "unavailable", str(error))


async def _invalid(request: Request, error: Any) -> JSONResponse:
    # The input itself is not repeated: it may be large, and need not be valid JSON.
    found = [
        f"{'.'.join(str(part) for part in one['loc'][1:]) or 'body'}: {one['msg']}"
        for one in error.errors()
    ]
    more = f" (and {len(found) - SHOWN} more)" if len(found) > SHOWN else ""
    return _answer(400, "invalid_request", "; ".join(found[:SHOWN]) + more)


async def _http(request: Request, error: Any) -> JSONResponse:
    return _answer(error.status_code, "http_error", str(error.detail), error.headers)


async def _gone(request: Request, error: Any) -> JSONResponse:
    return _answer(CLIENT_CLOSED_REQUEST, "client_gone", "The client went first.")


async def _unexpected(request: Request, error: Any) -> JSONResponse:
    log.error("%s failed", request.url.path, exc_info=error)
    return _answer(500, "internal", "The gateway failed; its log has the details.")
