"""Talk to a gateway: what a promotion, a rollback and a chat need; one clear error for trouble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import httpx

from sluice.data.record import Message
from sluice.errors import ServingError
from sluice.serving.pointer import Served

READ_SECONDS = 300.0  # staging may load a base model; an answer may wait behind others
CONNECT_SECONDS = 5.0


class GatewayRefusedError(ServingError):
    """The gateway answered with an error. `status` is HTTP's, `code` the gateway's stable word."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Readiness:
    """What `/ready` says. `version` and `digest` are None, and `reason` is given, if not ready."""

    ready: bool
    model: str
    version: str | None
    digest: str | None
    previous: str | None
    staged: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class StagedVersion:
    """A version that is loaded beside the current one, with its answer to the smoke question."""

    version: str
    digest: str
    answer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Switched:
    """What is served after a change. `switched` is False if nothing had to change."""

    switched: bool
    version: str
    digest: str
    previous: str | None


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """An answer, and the version that gave it. `finish_reason` is `stop` or `length`."""

    text: str
    version: str
    digest: str
    finish_reason: str
    completion_tokens: int


class GatewayClient:
    """A client of one gateway. The token is needed for promotions and rollbacks only."""

    def __init__(self, url: str, token: str | None = None, *, transport: Any = None) -> None:
        """`url` is the gateway's address without a path; `transport` replaces the network in tests.

        Proxies of the environment are not used: a gateway is reached directly.
        """
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
            transport=transport,
        )

    def __enter__(self) -> Self:
        """Itself; connections are closed at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ready(self) -> Readiness:
        """Whether the served name can answer, and with what.

        Raises:
            ServingError: the gateway cannot be reached. Not being ready is an answer, not an error.
        """
        facts, _ = self._call("GET", "/ready", accept=(200, 503))
        return Readiness(
            ready=facts["ready"],
            model=facts["model"],
            version=facts["version"],
            digest=facts["digest"],
            previous=_version(facts["previous"]),
            staged=_version(facts["staged"]),
            reason=facts["reason"],
        )

    def models(self) -> list[str]:
        """All names that can be asked."""
        facts, _ = self._call("GET", "/v1/models")
        return [entry["id"] for entry in facts["data"]]

    def chat(
        self, messages: Sequence[Message], model: str, max_tokens: int | None = None, **options: Any
    ) -> ChatAnswer:
        """Ask for one answer. `options` are further fields of an OpenAI chat completion.

        Raises:
            GatewayRefusedError: the gateway says why it does not answer.
        """
        body = {
            "model": model,
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            **options,
        }
        facts, headers = self._call("POST", "/v1/chat/completions", body)
        choice = facts["choices"][0]
        return ChatAnswer(
            text=choice["message"]["content"],
            version=headers["x-sluice-version"],
            digest=headers["x-sluice-digest"],
            finish_reason=choice["finish_reason"],
            completion_tokens=facts["usage"]["completion_tokens"],
        )

    def stage(self, served: Served) -> StagedVersion:
        """Have a version verified, loaded and asked the smoke question; nothing switches yet.

        Raises:
            GatewayRefusedError: it does not verify, load or speak. Then nothing has changed.
        """
        body = {"version": served.version, "digest": served.digest, "uri": served.folder}
        facts, _ = self._call("POST", "/admin/stage", body)
        return StagedVersion(**facts)

    def switch(self, served: Served, expect_current: str | None) -> Switched:
        """Let a staged version answer, if `expect_current` is current. Safe to repeat.

        Raises:
            GatewayRefusedError: another version is current (409), or this one is not staged (409).
        """
        body = {
            "version": served.version,
            "digest": served.digest,
            "expect_current": expect_current,
        }
        facts, _ = self._call("POST", "/admin/switch", body)
        return _switched(facts)

    def rollback(self, expect_current: str | None = None) -> Switched:
        """Let the previous version answer again; name the current one to be safe to repeat.

        Raises:
            GatewayRefusedError: there is no previous version, or another is current (409).
        """
        facts, _ = self._call("POST", "/admin/rollback", {"expect_current": expect_current})
        return _switched(facts)

    def unstage(self) -> None:
        """Let go of the staged version, if there is one."""
        self._call("POST", "/admin/unstage")

    def _call(
        self, method: str, path: str, body: Any = None, accept: Sequence[int] = (200,)
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise ServingError(
                f"The gateway at {self.url} did not answer {path} ({type(error).__name__}). See "
                "whether it runs (`sluice status`), and start it with `sluice up`."
            ) from error
        facts = _json(response)
        if response.status_code not in accept or facts is None:
            raise _refusal(response, facts)
        return facts, response.headers


def _json(response: httpx.Response) -> dict[str, Any] | None:
    try:
        facts: Any = response.json()
    except ValueError:
        return None
    return cast("dict[str, Any]", facts) if isinstance(facts, dict) else None


def _refusal(response: httpx.Response, facts: dict[str, Any] | None) -> ServingError:
    error: Any = (facts or {}).get("error")
    if not isinstance(error, dict):
        return ServingError(
            f"{response.url} answered with status {response.status_code}, but not as a Sluice "
            "gateway does. Something else listens on that port."
        )
    told = cast("dict[str, Any]", error)
    return GatewayRefusedError(response.status_code, str(told["code"]), str(told["message"]))


def _version(named: dict[str, str] | None) -> str | None:
    return None if named is None else named["version"]


def _switched(facts: dict[str, Any]) -> Switched:
    current = facts["current"]
    return Switched(
        facts["switched"], current["version"], current["digest"], _version(facts["previous"])
    )
