from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fake_engine import FakeEngine, served
from starlette.testclient import TestClient

from sluice.data.record import Message
from sluice.serving.engine import Options
from sluice.serving.pointer import Pointer
from sluice.serving.state import Line

ASK = {"model": "shop", "messages": [{"role": "user", "content": "How are you?"}]}


def chat(client: TestClient, **fields: Any) -> Any:
    return client.post("/v1/chat/completions", json={**ASK, **fields})


def sse(client: TestClient, **fields: Any) -> list[Any]:
    lines = chat(client, stream=True, **fields).text.split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") for line in lines)
    data = [line.removeprefix("data: ") for line in lines]
    return [json.loads(line) if line != "[DONE]" else line for line in data]


def test_an_answer_has_openai_shape_and_names_its_version(second: TestClient) -> None:
    response = chat(second)
    body = response.json()
    assert response.status_code == 200
    assert body["object"] == "chat.completion"
    assert body["model"] == "shop@2"
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "2: How are you?"}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
    assert response.headers["x-sluice-version"] == "2"
    assert response.headers["x-sluice-digest"] == served(2).digest


def test_a_stream_has_openai_chunks_and_ends_with_done(second: TestClient) -> None:
    *chunks, done = sse(second)
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(delta.get("content", "") for delta in deltas) == "2: How are you?"
    assert [c["choices"][0]["finish_reason"] for c in chunks][-2:] == [None, "stop"]


def test_a_stream_counts_tokens_only_if_asked(second: TestClient) -> None:
    *_, usage, _done = sse(second, stream_options={"include_usage": True})
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == 4
    assert not any("usage" in chunk for chunk in sse(second)[:-1])


def test_a_stream_names_its_version_in_its_headers(second: TestClient) -> None:
    headers = chat(second, stream=True, model="shop@1").headers
    assert headers["x-sluice-version"] == "1"
    assert headers["content-type"].startswith("text/event-stream")


def test_chinese_is_sent_as_it_is(second: TestClient) -> None:
    response = chat(second, stream=True, messages=[{"role": "user", "content": "能 退货 吗？"}])
    assert "退货" in response.text


def test_a_stream_that_breaks_off_says_so(second: TestClient, engine: FakeEngine) -> None:
    *_, last = sse(second, messages=[{"role": "user", "content": "please CRASH now"}])
    assert last["error"]["code"] == "generation_failed"
    assert engine.open == 0


def test_a_failure_before_the_end_is_an_error_without_details(second: TestClient) -> None:
    response = chat(second, messages=[{"role": "user", "content": "please CRASH now"}])
    assert response.status_code == 500
    assert response.json()["error"]["type"] == "server_error"
    assert "memory" not in response.text


@pytest.mark.parametrize(
    ("name", "version"), [("shop", "2"), ("shop@1", "1"), ("shop@2", "2"), ("base", "base")]
)
def test_each_name_reaches_its_version(second: TestClient, name: str, version: str) -> None:
    response = chat(second, model=name)
    assert response.headers["x-sluice-version"] == version
    assert response.json()["choices"][0]["message"]["content"].startswith(f"{version}:")


@pytest.mark.parametrize("name", ["gpt-4", "shop@9", "other@2", "shop@", "@2", ""])
def test_an_unknown_name_is_told_the_known_ones(second: TestClient, name: str) -> None:
    response = chat(second, model=name)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert "shop, base, shop@1, shop@2" in response.json()["error"]["message"]


def test_before_any_promotion_only_base_answers(empty: TestClient) -> None:
    response = chat(empty)
    assert response.status_code == 503
    assert response.json()["error"]["code"] == "no_champion"
    assert response.headers["retry-after"] == "5"
    assert chat(empty, model="base").status_code == 200


def test_models_lists_every_name(second: TestClient) -> None:
    entries = second.get("/v1/models").json()["data"]
    assert [entry["id"] for entry in entries] == ["shop", "base", "shop@1", "shop@2"]


def test_health_asks_nothing_but_life(empty: TestClient) -> None:
    assert empty.get("/health").json() == {"status": "alive"}


def test_ready_names_what_is_served(second: TestClient) -> None:
    response = second.get("/ready")
    assert response.status_code == 200
    assert response.json() == {
        "ready": True,
        "model": "shop",
        "version": "2",
        "digest": served(2).digest,
        "previous": {"version": "1", "digest": served(1).digest},
        "staged": None,
        "reason": None,
    }


def test_not_ready_says_why(empty: TestClient) -> None:
    response = empty.get("/ready")
    assert response.status_code == 503
    assert response.json()["version"] is None
    assert "No version has been promoted yet" in response.json()["reason"]


def test_bytes_that_do_not_verify_are_not_served_and_nothing_takes_their_place(
    start: Callable[[Pointer], TestClient], engine: FakeEngine
) -> None:
    engine.tampered = {"2"}
    client = start(Pointer(served(2), served(1)))
    assert client.get("/ready").status_code == 503
    assert "files differ from the manifest" in client.get("/ready").json()["reason"]
    assert chat(client).status_code == 503
    assert chat(client, model="shop@1").status_code == 200  # warm, for a person to roll back to


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, Options(max_tokens=100)),
        ({"max_tokens": 5}, Options(max_tokens=5)),
        ({"max_tokens": 5000}, Options(max_tokens=100)),
        ({"max_tokens": 5, "max_completion_tokens": 6}, Options(max_tokens=6)),
        ({"temperature": None, "top_p": None}, Options(max_tokens=100)),
        (
            {"temperature": 0.7, "top_p": 0.9, "seed": 3},
            Options(max_tokens=100, temperature=0.7, top_p=0.9, seed=3),
        ),
        ({"stop": "\n"}, Options(max_tokens=100, stop=("\n",))),
        ({"stop": ["a", "b"]}, Options(max_tokens=100, stop=("a", "b"))),
        ({"user": "u", "n": 1, "presence_penalty": 0, "tools": None}, Options(max_tokens=100)),
    ],
)
def test_options_reach_the_engine(
    second: TestClient, engine: FakeEngine, fields: dict[str, Any], options: Options
) -> None:
    assert chat(second, **fields).status_code == 200
    assert engine.asked[-1][2] == options


def test_messages_reach_the_engine_in_one_form(second: TestClient, engine: FakeEngine) -> None:
    turns = [
        {"role": "developer", "content": "Be kind."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}],
        },
    ]
    chat(second, messages=turns)
    assert engine.asked[-1][1] == [Message("system", "Be kind."), Message("user", "Hello")]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "the last message"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "type"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ""}, "stop"),
        ({"n": 2}, "not supported here: n"),
        ({"tools": [{"type": "function"}]}, "not supported here: tools"),
        ({"tempurature": 1}, "not supported here: tempurature"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    second: TestClient, fields: dict[str, Any], told: str
) -> None:
    response = chat(second, **fields)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert told in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"model": "shop", "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"model": "shop", "temperature": NaN, "messages": [{"role": "user", "content": "x"}]}',
        b'{"model": "shop", "\\ud800": 1, "messages": [{"role": "user", "content": "x"}]}',
        b"\xff\xfe",
    ],
)
def test_a_malformed_body_is_the_clients_mistake(second: TestClient, body: bytes) -> None:
    response = second.post(
        "/v1/chat/completions", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


def test_a_body_without_end_is_refused(second: TestClient) -> None:
    def endless() -> Any:
        yield from (b"x" * 1024 * 1024 for _ in range(6))

    announced = second.post("/v1/chat/completions", content=b"x" * 5 * 1024 * 1024)
    assert announced.status_code == 413
    assert second.post("/v1/chat/completions", content=endless()).status_code in (400, 413)


def test_an_unknown_route_has_the_error_shape_too(second: TestClient) -> None:
    assert second.get("/v2/nothing").json()["error"]["code"] == "http_error"


def test_a_full_line_is_told_to_come_back(second: TestClient) -> None:
    line: Line = second.app.state.gateway.line  # type: ignore[attr-defined]
    line.length = 64
    response = chat(second)
    assert response.status_code == 429
    assert response.headers["retry-after"] == "2"
    line.length = 0
    assert chat(second).status_code == 200


def test_every_request_leaves_the_line(second: TestClient, engine: FakeEngine) -> None:
    chat(second)
    sse(second)
    chat(second, model="nobody")
    chat(second, messages=[{"role": "user", "content": "CRASH"}])
    assert second.app.state.gateway.line.length == 0  # type: ignore[attr-defined]
    assert engine.open == 0
