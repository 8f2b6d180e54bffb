"""The gateway keeps answers if it is told to, and users rate them."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine, served
from starlette.testclient import TestClient

from sluice.data.record import Message
from sluice.serving.pointer import Pointer
from sluice.serving.request_log import Answered, RequestLog, new_answer_id
from sluice.serving.settings import GatewaySettings

CHAT = "/v1/chat/completions"
ASK = {"model": "shop", "messages": [{"role": "user", "content": "能 退货 吗？"}]}
NOW = datetime(2026, 10, 1, 23, 59, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> GatewaySettings:
    return GatewaySettings(home=tmp_path, model="shop", base="tiny", log_requests=True)


def kept(settings: GatewaySettings) -> list[dict[str, Any]]:
    files = sorted((settings.home / "serving" / "requests").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]


def rate(client: TestClient, id: str, **fields: Any) -> Any:
    return client.post("/v1/feedback", json={"id": id, "rating": "good", **fields})


def answered(id: str) -> Answered:
    return Answered(id, "shop", "2", [Message("user", "能退货吗？")], "能。", "stop")


def test_an_answer_is_kept_under_the_id_that_the_client_was_given(
    second: TestClient, settings: GatewaySettings
) -> None:
    body = second.post(CHAT, json=ASK).json()
    (entry,) = kept(settings)
    assert entry["id"] == body["id"]
    assert entry["messages"] == ASK["messages"]
    assert entry["answer"] == body["choices"][0]["message"]["content"] == "2: 能 退货 吗？"
    assert (entry["kind"], entry["model"], entry["version"]) == ("request", "shop@2", "2")
    assert entry["finish_reason"] == "stop"


def test_a_streamed_answer_is_kept_whole(second: TestClient, settings: GatewaySettings) -> None:
    stream = second.post(CHAT, json={**ASK, "stream": True}).text
    (entry,) = kept(settings)
    assert entry["answer"] == "2: 能 退货 吗？"
    assert f'"{entry["id"]}"' in stream


def test_an_answer_that_broke_off_is_not_kept(
    second: TestClient, settings: GatewaySettings
) -> None:
    crash = {**ASK, "messages": [{"role": "user", "content": "please CRASH now"}]}
    second.post(CHAT, json=crash)
    second.post(CHAT, json={**crash, "stream": True})
    assert kept(settings) == []


def test_only_the_gateways_user_can_read_what_is_kept(
    second: TestClient, settings: GatewaySettings
) -> None:
    second.post(CHAT, json=ASK)
    folder = settings.home / "serving" / "requests"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_rating_is_kept_beside_its_request(second: TestClient, settings: GatewaySettings) -> None:
    id = second.post(CHAT, json=ASK).json()["id"]
    assert rate(second, id, rating="bad", correction=" 可以，七天内。 ").status_code == 200
    _, entry = kept(settings)
    assert (entry["kind"], entry["id"], entry["rating"]) == ("feedback", id, "bad")
    assert entry["correction"] == "可以，七天内。"


def test_an_answer_can_be_rated_without_a_token(second: TestClient) -> None:
    del second.headers["authorization"]
    id = second.post(CHAT, json=ASK).json()["id"]
    assert rate(second, id).json() == {"id": id, "rating": "good"}


@pytest.mark.parametrize("id", ["x", "chatcmpl-20261001" + "0" * 32, "chatcmpl-../../../token"])
def test_what_was_never_answered_cannot_be_rated(
    second: TestClient, settings: GatewaySettings, id: str
) -> None:
    response = rate(second, id)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "unknown_answer"
    assert kept(settings) == []


@pytest.mark.parametrize(
    "fields", [{"rating": "fine"}, {"note": "x"}, {"correction": "\ud800"}, {"correction": 3}]
)
def test_feedback_that_is_not_understood_is_refused(
    second: TestClient, fields: dict[str, Any]
) -> None:
    body = json.dumps({"id": "x", "rating": "good", **fields})
    headers = {"content-type": "application/json"}
    assert second.post("/v1/feedback", content=body, headers=headers).status_code == 400


def test_nothing_is_kept_unless_the_recipe_asks_for_it(
    settings: GatewaySettings, engine: FakeEngine
) -> None:
    from sluice.serving.gateway import create_app
    from sluice.serving.pointer import write_pointer

    write_pointer(settings.home / "serving", Pointer(served(2)))
    with TestClient(create_app(replace(settings, log_requests=False), engine)) as client:
        while client.get("/ready").status_code != 200:
            pass
        id = client.post(CHAT, json=ASK).json()["id"]
        response = rate(client, id)
    assert response.json()["error"]["code"] == "no_request_log"
    assert "serving.log_requests" in response.json()["error"]["message"]
    assert kept(settings) == []


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(
    start: Callable[[Pointer], TestClient], settings: GatewaySettings
) -> None:
    client = start(Pointer(served(2)))
    (settings.home / "serving" / "requests").write_text("in the way")
    assert client.post(CHAT, json=ASK).status_code == 200


def test_an_answer_that_began_before_midnight_is_found_by_its_id(tmp_path: Path) -> None:
    log, id = RequestLog(tmp_path), new_answer_id(NOW)
    log.note(answered(id))
    assert [file.name for file in (tmp_path / "requests").iterdir()] == ["2026-10-01.jsonl"]
    assert log.rate(id, "good", None)


def test_half_a_line_that_a_killed_gateway_left_costs_no_other_line(tmp_path: Path) -> None:
    log, id = RequestLog(tmp_path), new_answer_id(NOW)
    file = tmp_path / "requests" / "2026-10-01.jsonl"
    file.parent.mkdir()
    file.write_text('{"kind": "requ')
    log.note(answered(id))
    half, line = file.read_text().splitlines()
    assert half == '{"kind": "requ'
    assert json.loads(line)["id"] == id
