"""The order of a promotion, and what is left wherever it fails or is cut short."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import ApprovalError, IntegrityError, RegistryError, ServingError
from sluice.home import Home
from sluice.lake import Lake
from sluice.refs import Evidence, ModelRef
from sluice.registry.approvals import Approvals, new_approval
from sluice.registry.versions import CHALLENGER, CHAMPION, Version
from sluice.serving import promotion
from sluice.serving.client import (
    GatewayClient,
    GatewayRefusedError,
    Readiness,
    StagedVersion,
    Switched,
)
from sluice.serving.pointer import Served, advanced, read_pointer, rolled_back, write_pointer
from sluice.serving.promotion import Desk, heal, promote, rollback


class Killed(BaseException):
    """kill -9: nothing of ours catches it."""


@dataclass
class World:
    """A registry and a gateway that note what is done, and fail or die where they are told to."""

    folder: Path
    aliases: dict[str, str | None] = field(default_factory=lambda: {CHAMPION: None})
    tags: dict[str, str] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    staged: str | None = None
    fail: dict[str, BaseException] = field(default_factory=dict)
    die_after: str | None = None
    down: bool = False

    def act(self, what: str, effect: Callable[[], None]) -> None:
        if what in self.fail:
            raise self.fail[what]
        effect()
        self.done.append(what)
        if what == self.die_after:
            self.die_after = None
            raise Killed

    # the registry
    def set_champion(self, uri: str, name: str, version: str | None) -> None:
        def effect() -> None:
            self.aliases[CHAMPION] = version
            if version is not None and self.aliases.get(CHALLENGER) == version:
                self.aliases[CHALLENGER] = None

        self.act("alias", effect)

    def set_challenger(self, uri: str, name: str, version: str) -> None:
        self.aliases[CHALLENGER] = version

    def by_alias(self, uri: str, name: str, alias: str) -> Version | None:
        if "alias" in self.fail:
            raise self.fail["alias"]
        number = self.aliases[alias]
        return Version(name, number, "", "", "", "") if number else None

    def tag_version(self, uri: str, name: str, version: str, tags: dict[str, str]) -> None:
        self.act("tag", lambda: self.tags.update(tags))

    # the gateway
    def _require_up(self) -> None:
        if self.down:
            raise ServingError("The gateway did not answer.")

    def ready(self) -> Readiness:
        self._require_up()
        pointer = read_pointer(self.folder)
        current, previous = pointer.current, pointer.previous
        return Readiness(
            ready=current is not None,
            model="shop",
            version=current.version if current else None,
            digest=current.digest if current else None,
            previous=previous.version if previous else None,
            staged=self.staged,
            reason=None,
        )

    def stage(self, served: Served) -> StagedVersion:
        self._require_up()
        self.act("stage", lambda: setattr(self, "staged", served.version))
        return StagedVersion(served.version, served.digest, "Hello", 0.1)

    def switch(self, served: Served, expect_current: str | None) -> Switched:
        self._require_up()
        pointer = read_pointer(self.folder)
        now = pointer.current.version if pointer.current else None
        if pointer.current != served and now != expect_current:
            raise GatewayRefusedError(409, "current_changed", "Look again.")
        if pointer.current != served and self.staged != served.version:
            raise GatewayRefusedError(409, "not_staged", "Stage it first.")
        self.act("pointer", lambda: write_pointer(self.folder, advanced(pointer, served)))
        return Switched(True, served.version, served.digest, now)

    def rollback(self, expect_current: str | None) -> Switched:
        self._require_up()
        pointer = rolled_back(read_pointer(self.folder))
        self.act("pointer", lambda: write_pointer(self.folder, pointer))
        assert pointer.current is not None
        return Switched(True, pointer.current.version, pointer.current.digest, expect_current)

    @property
    def together(self) -> bool:
        """Whether alias and pointer name the same version."""
        current = read_pointer(self.folder).current
        return self.aliases[CHAMPION] == (current.version if current else None)


@dataclass
class Scene:
    world: World
    desk: Desk
    approvals: Approvals
    one: Version
    two: Version

    def approve(self, version: Version, replaces: str | None) -> None:
        digest = version.evidence_digest
        self.approvals.ask(
            new_approval("shop", version.version, version.digest, digest, replaces, "run", 1.0)
        )
        self.approvals.decide(digest, approve=True, approver="Ann", reason="better")

    def state(self, version: Version) -> str:
        return self.approvals.get(version.evidence_digest).state


def _stored(lake: Lake, number: str) -> Version:
    with lake.aside() as folder:
        (folder / "weights").write_text(number)
        model = lake.commit(
            folder, "models", f"m{number}", lambda u, d: ModelRef(u, d, "b", "lora")
        )
    with lake.aside() as folder:
        (folder / "scores.json").write_text(number)
        evidence = lake.commit(folder, "evidence", f"e{number}", lambda u, d: Evidence(u, d, "ok"))
    return Version("shop", number, model.digest, model.uri, evidence.digest, "run")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Version 1 is champion and answers; version 2 is challenger and approved."""
    home = Home(tmp_path)
    world = World(home.serving)
    for name in ("set_champion", "set_challenger", "by_alias", "tag_version"):
        monkeypatch.setattr(promotion, name, getattr(world, name))
    gateway: Any = world
    desk = Desk(home, "sqlite:///none", gateway)
    one, two = _stored(home.lake, "1"), _stored(home.lake, "2")
    made = Scene(world, desk, Approvals(home.approvals), one, two)
    made.approve(one, None)
    promote(desk, one)
    world.aliases[CHALLENGER] = "2"
    made.approve(two, "1")
    world.done.clear()
    world.tags.clear()
    return made


def test_nothing_moves_before_the_candidate_has_answered(scene: Scene) -> None:
    staged = promote(scene.desk, scene.two)
    assert scene.world.done == ["stage", "alias", "pointer", "tag"]
    assert staged.answer == "Hello"
    assert scene.world.together
    assert scene.world.aliases == {CHAMPION: "2", CHALLENGER: None}
    assert scene.world.tags == {"sluice.approver": "Ann", "sluice.reason": "better"}
    assert scene.state(scene.two) == "used"
    assert not scene.desk.intent_file.exists()


def test_an_approval_is_good_for_one_promotion(scene: Scene) -> None:
    promote(scene.desk, scene.two)
    rollback(scene.desk)
    with pytest.raises(ApprovalError, match="is used, not approved"):
        promote(scene.desk, scene.two)
    assert scene.world.aliases[CHAMPION] == "1"


def test_a_champion_that_changed_meanwhile_is_not_replaced(scene: Scene) -> None:
    scene.world.aliases[CHAMPION] = "7"
    with pytest.raises(ApprovalError, match="judged against version 1, but the champion is now"):
        promote(scene.desk, scene.two)
    assert scene.world.done == []


@pytest.mark.parametrize("area", ["models", "evidence"])
def test_bytes_that_changed_after_they_were_judged_are_refused(scene: Scene, area: str) -> None:
    digest = scene.two.digest if area == "models" else scene.two.evidence_digest
    file = next(
        p for p in (scene.desk.home.lake.root / area / digest).iterdir() if "man" not in p.name
    )
    file.write_text("other")
    with pytest.raises(IntegrityError):
        promote(scene.desk, scene.two)
    assert scene.world.done == []
    assert scene.state(scene.two) == "approved"


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("stage", GatewayRefusedError(422, "smoke_failed", "It says nothing.")),
        ("alias", RegistryError("MLflow is away.")),
        ("pointer", GatewayRefusedError(503, "pointer_not_stored", "No space.")),
        ("pointer", ServingError("The gateway did not answer.")),
    ],
)
def test_a_step_that_fails_leaves_all_as_it_was(scene: Scene, where: str, error: Exception) -> None:
    scene.world.fail[where] = error
    with pytest.raises(type(error)):
        promote(scene.desk, scene.two)
    scene.world.fail.clear()
    assert scene.world.together
    assert scene.state(scene.two) == "approved"
    heal(scene.desk)
    if scene.world.aliases[CHAMPION] != "2":  # MLflow was away: the move is finished later
        assert scene.world.aliases == {CHAMPION: "1", CHALLENGER: "2"}
        promote(scene.desk, scene.two)
    assert scene.world.together
    assert scene.state(scene.two) == "used"


@pytest.mark.parametrize("answers_again", [True, False])
def test_a_switch_whose_answer_was_lost_has_happened(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, answers_again: bool
) -> None:
    world = scene.world
    switch = world.switch

    def lose_the_answer(served: Served, expect_current: str | None) -> Switched:
        switch(served, expect_current)
        world.down = not answers_again
        raise ServingError("The gateway did not answer /admin/switch (ReadTimeout).")

    monkeypatch.setattr(world, "switch", lose_the_answer)
    promote(scene.desk, scene.two)
    assert world.together
    assert world.aliases[CHAMPION] == "2"
    assert scene.state(scene.two) == "used"


@pytest.mark.parametrize("after", ["stage", "alias", "pointer", "tag"])
@pytest.mark.parametrize("again", ["heal", "promote"])
def test_a_kill_at_any_moment_is_finished_by_whoever_comes_next(
    scene: Scene, after: str, again: str
) -> None:
    scene.world.die_after = after
    with pytest.raises(Killed):
        promote(scene.desk, scene.two)
    if again == "promote":
        assert promote(scene.desk, scene.two).answer == "Hello"
    else:
        heal(scene.desk)
    if after == "stage" and again == "heal":
        assert scene.world.aliases == {CHAMPION: "1", CHALLENGER: "2"}
        assert scene.state(scene.two) == "approved"
    else:
        assert scene.world.aliases == {CHAMPION: "2", CHALLENGER: None}
        assert scene.state(scene.two) == "used"
        assert scene.world.tags["sluice.approver"] == "Ann"
    assert scene.world.together
    assert not scene.desk.intent_file.exists()
    assert heal(scene.desk) is None


def test_healing_that_is_killed_is_healed_again(scene: Scene) -> None:
    scene.world.die_after = "alias"
    with pytest.raises(Killed):
        promote(scene.desk, scene.two)
    for after in ("stage", "pointer", "alias", "tag"):
        scene.world.die_after = after
        with pytest.raises(Killed):
            heal(scene.desk)
    assert heal(scene.desk) == scene.two
    assert scene.world.together
    assert read_pointer(scene.world.folder).previous == Served("1", scene.one.digest, scene.one.uri)


def test_a_version_that_no_longer_loads_does_not_block_what_comes_after(scene: Scene) -> None:
    scene.world.die_after = "alias"
    with pytest.raises(Killed):
        promote(scene.desk, scene.two)
    scene.world.fail["stage"] = GatewayRefusedError(422, "load_failed", "It does not load.")
    with pytest.raises(GatewayRefusedError):
        heal(scene.desk)
    assert scene.world.aliases == {CHAMPION: "1", CHALLENGER: "2"}
    assert heal(scene.desk) is None


def test_going_back_twice_is_going_forward(scene: Scene) -> None:
    promote(scene.desk, scene.two)
    assert rollback(scene.desk).version == "1"
    assert scene.world.aliases[CHAMPION] == "1"
    assert scene.world.together
    assert rollback(scene.desk).version == "2"
    assert scene.world.together


def test_with_nothing_to_go_back_to_nothing_changes(scene: Scene) -> None:
    with pytest.raises(ServingError, match="no previous version"):
        rollback(scene.desk)
    assert scene.world.done == []
    assert not scene.desk.intent_file.exists()


def test_the_server_goes_back_while_mlflow_is_away(scene: Scene) -> None:
    promote(scene.desk, scene.two)
    scene.world.fail["alias"] = RegistryError("MLflow is away.")
    with pytest.raises(RegistryError):
        rollback(scene.desk)
    assert scene.world.ready().version == "1"
    assert scene.world.aliases[CHAMPION] == "2"
    scene.world.fail.clear()
    healed = heal(scene.desk)
    assert healed is not None
    assert healed.version == "1"
    assert scene.world.together
    assert scene.state(scene.two) == "used"


def test_a_rollback_that_is_refused_changes_nothing(scene: Scene) -> None:
    promote(scene.desk, scene.two)
    scene.world.fail["pointer"] = GatewayRefusedError(503, "pointer_not_stored", "No space.")
    with pytest.raises(GatewayRefusedError):
        rollback(scene.desk)
    assert heal(scene.desk) is None
    assert scene.world.aliases[CHAMPION] == "2"
    assert scene.world.together


def test_without_a_gateway_nothing_is_promoted(scene: Scene) -> None:
    desk = Desk(scene.desk.home, scene.desk.tracking_uri, GatewayClient("http://127.0.0.1:9"))
    with pytest.raises(ServingError, match="did not answer"):
        promote(desk, scene.two)
    assert scene.world.aliases == {CHAMPION: "1", CHALLENGER: "2"}
