"""A gateway around a fake engine, reached through the app itself: no network, no model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_engine import FakeEngine, served
from starlette.testclient import TestClient

from sluice.serving.admin_token import admin_token
from sluice.serving.gateway import create_app
from sluice.serving.pointer import Pointer, write_pointer
from sluice.serving.settings import GatewaySettings


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(
        home=tmp_path, model="shop", base="tiny", max_new_tokens=100, smoke_question="Are you well?"
    )


@pytest.fixture
def start(
    engine: FakeEngine, settings: GatewaySettings
) -> Iterator[Callable[[Pointer], TestClient]]:
    """Start a gateway whose home holds a pointer; it has restored when the test gets it."""
    running: list[TestClient] = []

    def begin(pointer: Pointer) -> TestClient:
        if pointer != Pointer():
            write_pointer(settings.home / "serving", pointer)
        client = TestClient(create_app(settings, engine), raise_server_exceptions=False)
        client.__enter__()
        client.headers["authorization"] = f"Bearer {admin_token(settings.home / 'serving')}"
        running.append(client)
        _until(lambda: "just started" not in str(client.get("/ready").json()["reason"]))
        return client

    yield begin
    for client in running:
        client.__exit__(None, None, None)


@pytest.fixture
def empty(start: Callable[[Pointer], TestClient]) -> TestClient:
    """A gateway before any promotion."""
    return start(Pointer())


@pytest.fixture
def second(start: Callable[[Pointer], TestClient]) -> TestClient:
    """A gateway that serves version 2 and served version 1 before."""
    return start(Pointer(current=served(2), previous=served(1)))


def _until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
    raise TimeoutError("it did not come true")
