from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_engine import served
from starlette.testclient import TestClient

from sluice.data.record import Message
from sluice.errors import ServingError
from sluice.serving.admin_token import admin_token
from sluice.serving.client import GatewayClient, GatewayRefusedError
from sluice.serving.settings import GatewaySettings

HELLO = [Message("user", "Hello")]


def through(client: TestClient, token: str | None) -> GatewayClient:
    """A gateway client whose network is the app of a test client."""

    def handle(request: httpx.Request) -> httpx.Response:
        kept = {k: v for k, v in request.headers.items() if k in {"authorization", "content-type"}}
        client.headers.pop("authorization", None)
        answer = client.request(
            request.method, request.url.path, content=request.content, headers=kept
        )
        return httpx.Response(
            answer.status_code, headers=dict(answer.headers), content=answer.content
        )

    return GatewayClient("http://gateway", token, transport=httpx.MockTransport(handle))


@pytest.fixture
def gateway(second: TestClient, settings: GatewaySettings) -> GatewayClient:
    return through(second, admin_token(settings.home / "serving"))


def test_a_promotion_and_its_rollback(gateway: GatewayClient) -> None:
    assert gateway.stage(served(3)).answer == "3: Are you well?"
    assert gateway.ready().staged == "3"
    done = gateway.switch(served(3), expect_current="2")
    assert (done.switched, done.version, done.previous) == (True, "3", "2")
    assert gateway.rollback(expect_current="3").version == "2"
    gateway.unstage()


def test_chat_names_the_version_that_answered(gateway: GatewayClient) -> None:
    answer = gateway.chat(HELLO, "shop", max_tokens=5)
    assert (answer.text, answer.version, answer.finish_reason) == ("2: Hello", "2", "stop")
    assert gateway.models() == ["shop", "base", "shop@1", "shop@2"]


def test_not_being_ready_is_an_answer(empty: TestClient) -> None:
    readiness = through(empty, None).ready()
    assert not readiness.ready
    assert readiness.version is None
    assert readiness.reason is not None


def test_a_refusal_keeps_its_words_and_its_code(gateway: GatewayClient) -> None:
    with pytest.raises(GatewayRefusedError, match="Stage it first") as caught:
        gateway.switch(served(3), expect_current="2")
    assert (caught.value.status, caught.value.code) == (409, "not_staged")


def test_without_token_nothing_is_staged(second: TestClient) -> None:
    with pytest.raises(GatewayRefusedError, match="serving/token"):
        through(second, None).stage(served(3))


def test_no_gateway_is_one_clear_sentence() -> None:
    client = GatewayClient("http://127.0.0.1:9")
    with pytest.raises(ServingError, match=r"The gateway at http://127\.0\.0\.1:9 did not answer"):
        client.ready()


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", json.dumps({"error": "no"})])
def test_another_server_on_the_port_is_recognised(body: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(404, text=body))
    with pytest.raises(ServingError, match="not as a Sluice gateway"):
        GatewayClient("http://127.0.0.1:80", transport=transport).ready()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"base": "package:a/b.gguf", "revision": "1", "threads": 2, "port": 8000},
        {"log_requests": True},
        {"smoke_question": '--你好? it\'s "me"', "system_prompt": "-x\ny", "precision": "bf16"},
    ],
)
def test_settings_survive_the_command_line(changes: dict[str, Any]) -> None:
    settings = GatewaySettings(home=Path("/a home"), model="shop", **changes)
    assert GatewaySettings.from_arguments(settings.arguments()) == settings
