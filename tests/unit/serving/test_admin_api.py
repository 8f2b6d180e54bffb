from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine, served
from starlette.testclient import TestClient

from sluice.errors import ServingError
from sluice.serving import versions
from sluice.serving.admin_token import admin_token
from sluice.serving.pointer import Pointer, read_pointer
from sluice.serving.settings import GatewaySettings


def stage(client: TestClient, number: int, **fields: Any) -> Any:
    version = served(number)
    body = {"version": version.version, "digest": version.digest, "uri": version.folder}
    return client.post("/admin/stage", json={**body, **fields})


def switch(client: TestClient, number: int, expect: str | None, **fields: Any) -> Any:
    version = served(number)
    body = {"version": version.version, "digest": version.digest, "expect_current": expect}
    return client.post("/admin/switch", json={**body, **fields})


def rollback(client: TestClient, **fields: Any) -> Any:
    return client.post("/admin/rollback", json=fields)


def serving(client: TestClient) -> tuple[str | None, str | None]:
    facts = client.get("/ready").json()
    return facts["version"], facts["previous"] and facts["previous"]["version"]


def test_the_first_promotion_makes_the_gateway_ready(
    empty: TestClient, settings: GatewaySettings
) -> None:
    staged = stage(empty, 1)
    assert staged.status_code == 200
    assert staged.json()["answer"] == "1: Are you well?"
    assert serving(empty) == (None, None)
    assert switch(empty, 1, None).json()["switched"] is True
    assert serving(empty) == ("1", None)
    assert read_pointer(settings.home / "serving") == Pointer(served(1))


def test_a_promotion_keeps_the_champion_for_rollback(
    second: TestClient, engine: FakeEngine
) -> None:
    stage(second, 3)
    assert engine.loaded() == {"1", "2", "3"}
    switch(second, 3, "2")
    assert serving(second) == ("3", "2")
    second.get("/health")  # the unloading happens beside the answer
    assert engine.loaded() == {"2", "3"}


def test_staging_changes_nothing_that_is_served(second: TestClient) -> None:
    stage(second, 3)
    assert serving(second) == ("2", "1")
    assert second.get("/ready").json()["staged"]["version"] == "3"


def test_tampered_bytes_are_refused_and_change_nothing(
    second: TestClient, engine: FakeEngine
) -> None:
    engine.tampered = {"3"}
    response = stage(second, 3)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "integrity"
    assert serving(second) == ("2", "1")
    assert second.get("/ready").json()["staged"] is None


def test_a_version_that_says_nothing_is_refused(second: TestClient, engine: FakeEngine) -> None:
    engine.silent = {"3"}
    response = stage(second, 3)
    assert response.status_code == 422
    assert response.json()["error"]["code"] == "smoke_failed"
    second.get("/health")
    assert engine.loaded() == {"1", "2"}


def test_a_version_that_cannot_be_loaded_is_refused_with_the_reason(
    second: TestClient, engine: FakeEngine
) -> None:
    engine.breaks = {"3": RuntimeError("size mismatch for q_proj")}
    response = stage(second, 3)
    assert response.json()["error"]["code"] == "load_failed"
    assert "size mismatch for q_proj" in response.json()["error"]["message"]


def test_a_failed_stage_leaves_the_staged_version(second: TestClient, engine: FakeEngine) -> None:
    stage(second, 3)
    engine.silent = {"4"}
    stage(second, 4)
    second.get("/health")
    assert engine.loaded() == {"1", "2", "3"}
    assert second.get("/ready").json()["staged"]["version"] == "3"


def test_another_stage_replaces_the_staged_version(second: TestClient, engine: FakeEngine) -> None:
    stage(second, 3)
    stage(second, 4)
    second.get("/health")
    assert engine.loaded() == {"1", "2", "4"}


def test_unstage_lets_the_staged_version_go(second: TestClient, engine: FakeEngine) -> None:
    stage(second, 3)
    assert second.post("/admin/unstage").json() == {"unstaged": "3"}
    assert second.post("/admin/unstage").json() == {"unstaged": None}
    second.get("/health")
    assert engine.loaded() == {"1", "2"}


def test_of_two_promotions_at_once_one_loses(second: TestClient) -> None:
    stage(second, 3)
    assert switch(second, 3, "2").status_code == 200
    stage(second, 4)
    late = switch(second, 4, "2")
    assert late.status_code == 409
    assert late.json()["error"]["code"] == "current_changed"
    assert "Current is version 3, not version 2" in late.json()["error"]["message"]
    assert serving(second) == ("3", "2")


def test_a_repeated_switch_is_a_success_that_changes_nothing(second: TestClient) -> None:
    stage(second, 3)
    switch(second, 3, "2")
    again = switch(second, 3, "2")
    assert again.status_code == 200
    assert again.json()["switched"] is False
    assert serving(second) == ("3", "2")


def test_what_is_not_staged_cannot_be_switched_to(second: TestClient) -> None:
    response = switch(second, 3, "2")
    assert response.status_code == 409
    assert response.json()["error"]["code"] == "not_staged"


def test_a_staged_version_with_other_bytes_cannot_be_switched_to(second: TestClient) -> None:
    stage(second, 3)
    assert switch(second, 3, "2", digest="f" * 64).status_code == 409
    assert switch(second, 2, "2", digest="f" * 64).status_code == 409
    assert serving(second) == ("2", "1")


def test_a_pointer_that_cannot_be_stored_does_not_take_effect(
    second: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, pointer: Pointer) -> None:
        raise OSError(28, "No space left on device")

    stage(second, 3)
    monkeypatch.setattr(versions, "write_pointer", full)
    response = switch(second, 3, "2")
    assert response.status_code == 503
    assert "No space left on device" in response.json()["error"]["message"]
    assert serving(second) == ("2", "1")


def test_rollback_goes_back_and_forth(second: TestClient, settings: GatewaySettings) -> None:
    assert rollback(second).json()["current"]["version"] == "1"
    assert serving(second) == ("1", "2")
    assert read_pointer(settings.home / "serving") == Pointer(served(1), served(2))
    rollback(second)
    assert serving(second) == ("2", "1")


def test_a_rollback_that_names_its_start_is_done_once(second: TestClient) -> None:
    assert rollback(second, expect_current="2").status_code == 200
    assert rollback(second, expect_current="2").status_code == 409
    assert serving(second) == ("1", "2")


def test_there_is_nothing_to_roll_back_to_after_one_promotion(empty: TestClient) -> None:
    assert rollback(empty).json()["error"]["code"] == "no_previous"
    stage(empty, 1)
    switch(empty, 1, None)
    assert rollback(empty).status_code == 409


def test_a_rollback_loads_a_previous_version_that_is_not_warm(
    second: TestClient, engine: FakeEngine
) -> None:
    del engine.held["1"]
    rollback(second)
    assert engine.loaded() == {"1", "2"}
    assert serving(second) == ("1", "2")


def test_a_rollback_to_tampered_bytes_is_refused(second: TestClient, engine: FakeEngine) -> None:
    del engine.held["1"]
    engine.tampered = {"1"}
    assert rollback(second).status_code == 422
    assert serving(second) == ("2", "1")


def test_a_rollback_gets_out_of_a_champion_that_does_not_verify(
    start: Callable[[Pointer], TestClient], engine: FakeEngine
) -> None:
    engine.tampered = {"2"}
    client = start(Pointer(served(2), served(1)))
    assert serving(client) == (None, "1")
    assert rollback(client).status_code == 200
    assert serving(client) == ("1", "2")


def test_a_repaired_champion_is_served_again_once_it_is_staged(
    start: Callable[[Pointer], TestClient], engine: FakeEngine
) -> None:
    engine.tampered = {"2"}
    client = start(Pointer(served(2), served(1)))
    engine.tampered = set()
    assert stage(client, 2).status_code == 200
    assert serving(client) == ("2", "1")
    assert switch(client, 2, "2").json()["switched"] is False


@pytest.mark.parametrize("path", ["stage", "switch", "rollback", "unstage"])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "{token}"])
def test_without_the_token_no_admin_route_does_anything(
    second: TestClient, settings: GatewaySettings, path: str, header: str | None
) -> None:
    token = admin_token(settings.home / "serving")
    del second.headers["authorization"]
    headers = {} if header is None else {"authorization": header.format(token=token)}
    response = second.post(f"/admin/{path}", json={}, headers=headers)
    assert response.status_code == 401
    assert token not in response.text
    assert serving(second) == ("2", "1")


@pytest.mark.parametrize(
    "fields",
    [
        {"uri": "models/../../etc"},
        {"uri": "/etc"},
        {"uri": "models/" + "f" * 64},
        {"digest": "../x"},
        {"version": "base"},
        {"version": "a/b"},
        {"path": "x"},
    ],
)
def test_only_a_models_own_folder_can_be_staged(
    second: TestClient, engine: FakeEngine, fields: dict[str, str]
) -> None:
    assert stage(second, 3, **fields).status_code == 400
    assert engine.loaded() == {"1", "2"}


def test_a_new_token_is_its_owners_alone_and_stays(tmp_path: Path) -> None:
    token = admin_token(tmp_path / "serving")
    mode = (tmp_path / "serving" / "token").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert len(token) >= 32
    assert admin_token(tmp_path / "serving") == token


def test_an_empty_token_lets_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(ServingError, match="is empty"):
        admin_token(tmp_path)
