"""The routes for promotion. Every one asks for the bearer token, on loopback too: a web page that a
person opens can send requests to loopback as well."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sluice.serving.engine import BASE
from sluice.serving.pointer import Pointer, Served
from sluice.serving.refusal import RefusedError
from sluice.serving.state import state_of

Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Stage(_Body):
    """A version to load. `uri` is relative to the lake and must be the folder of the digest."""

    version: Version
    digest: Digest
    uri: str

    @model_validator(mode="after")
    def _only_where_it_belongs(self) -> Stage:
        if self.uri != f"models/{self.digest}":
            raise ValueError(f"uri must be models/{self.digest}: nothing else is loaded")
        if self.version == BASE:
            raise ValueError(f"a version cannot be called {BASE}")
        return self


class Switch(_Body):
    """The version that shall answer, and the one that the caller believes to answer now."""

    version: Version
    digest: Digest
    expect_current: Version | None


class Rollback(_Body):
    """`expect_current`: the version to go back from, if the caller wants that checked."""

    expect_current: Version | None = None


def _require_token(request: Request) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = state_of(request).token
    right = secrets.compare_digest(given.strip().encode(), known.encode())
    if scheme.lower() != "bearer" or not right:
        raise RefusedError(
            401,
            "unauthorized",
            "This needs the gateway's token: `Authorization: Bearer …`, with the content of "
            "serving/token in the gateway's SLUICE_HOME.",
        )


router = APIRouter(prefix="/admin", dependencies=[Depends(_require_token)])


@router.post("/stage")
async def stage(request: Request, body: Stage) -> dict[str, Any]:
    """Verify a version's bytes, load it beside the current one, and hear it answer once."""
    served = Served(body.version, body.digest, body.uri)
    smoke = await state_of(request).versions.stage(served)
    return {
        "version": body.version,
        "digest": body.digest,
        "answer": smoke.answer,
        "seconds": round(smoke.seconds, 3),
    }


@router.post("/switch")
async def switch(request: Request, body: Switch) -> dict[str, Any]:
    """Let a staged version answer; only if the current one is the one that the caller expects."""
    served = Served(body.version, body.digest, f"models/{body.digest}")
    versions = state_of(request).versions
    switched = await versions.switch(served, body.expect_current)
    return {"switched": switched, **_shown(versions.pointer)}


@router.post("/rollback")
async def rollback(request: Request, body: Rollback) -> dict[str, Any]:
    """Let the previous version answer again."""
    pointer = await state_of(request).versions.rollback(body.expect_current)
    return {"switched": True, **_shown(pointer)}


@router.post("/unstage")
async def unstage(request: Request) -> dict[str, Any]:
    """Let go of the staged version, if there is one."""
    staged = await state_of(request).versions.unstage()
    return {"unstaged": staged.version if staged else None}


def _shown(pointer: Pointer) -> dict[str, Any]:
    named = {"current": pointer.current, "previous": pointer.previous}
    return {
        name: None if served is None else {"version": served.version, "digest": served.digest}
        for name, served in named.items()
    }
