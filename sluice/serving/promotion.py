"""Move the champion: the alias in the registry and the gateway's pointer, together or not at all.

    verify bytes → approval → stage (load, smoke question) → intent → alias → pointer → spend → done

Nothing moves before the candidate has answered on the gateway itself. The intent is written before
the first of the two moves and removed after the second. A move that fails is undone; a move that a
crash cut short is finished from the intent by whoever comes next (`heal`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from sluice.errors import ApprovalError, RegistryError, ServingError, SluiceError
from sluice.home import Home
from sluice.lake import read_json, write_json
from sluice.refs import Ref
from sluice.registry.approvals import Approvals
from sluice.registry.versions import (
    CHAMPION,
    Version,
    by_alias,
    by_number,
    set_champion,
    tag_version,
)
from sluice.serving.client import GatewayClient, StagedVersion, Switched
from sluice.serving.pointer import Served

INTENT_FILE = "intent.json"


@dataclass(frozen=True, slots=True)
class Intent:
    """A move of the champion that has begun. `before` is the champion's version until now."""

    to: Version
    before: str | None


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a move happens: the home, the registry and the gateway."""

    home: Home
    tracking_uri: str
    gateway: GatewayClient

    @property
    def intent_file(self) -> Path:
        """The journal of the move that is under way."""
        return self.home.serving / INTENT_FILE


def promote(desk: Desk, version: Version) -> StagedVersion:
    """Make an approved version the champion; doing it again changes nothing.

    Raises:
        ApprovalError: there is no valid approval for exactly this, or the champion has changed.
        IntegrityError: bytes of the model or of its evidence changed after they were judged.
        ServingError: the gateway could not load it, or it did not answer. Nothing has moved.
        RegistryError: MLflow failed. Nothing has moved.
    """
    heal(desk)
    approvals = Approvals(desk.home.approvals)
    lake = desk.home.lake
    lake.verify(Ref(version.uri, version.digest))
    lake.verify(Ref(f"evidence/{version.evidence_digest}", version.evidence_digest))
    approval = approvals.require(version.evidence_digest, version.digest)
    champion = by_alias(desk.tracking_uri, version.name, CHAMPION)
    current = champion.version if champion else None
    if current != approval.replaces:
        raise ApprovalError(
            f"Version {version.version} was judged against version {approval.replaces}, but the "
            f"champion is now version {current}. Nothing was promoted; run the recipe again to "
            "judge it against the new champion."
        )
    staged = desk.gateway.stage(_served(version))
    _move(desk, Intent(version, current), lambda: _switch(desk, version, current))
    approvals.use(version.evidence_digest)
    tag_version(
        desk.tracking_uri,
        version.name,
        version.version,
        {"sluice.approver": approval.approver, "sluice.reason": approval.reason},
    )
    return staged


def rollback(desk: Desk) -> Switched:
    """Let the previous champion answer again: the server first, since users are waiting.

    If MLflow does not answer, the server has gone back all the same, and the intent stays: the
    alias follows when `heal` finds MLflow there again.

    Raises:
        ServingError: there is no previous version, or the gateway does not answer.
        RegistryError: the server went back, but the alias could not follow yet.
    """
    heal(desk)
    ready = desk.gateway.ready()
    if ready.previous is None:
        raise ServingError("There is no previous version to go back to. Nothing was changed.")
    target = by_number(desk.tracking_uri, ready.model, ready.previous)
    write_json(desk.intent_file, asdict(Intent(target, ready.version)))
    switched = desk.gateway.rollback(ready.version)
    set_champion(desk.tracking_uri, target.name, target.version)
    desk.intent_file.unlink()
    return switched


def heal(desk: Desk) -> Version | None:
    """Finish a move that was cut short; returns the version that it moved to, if there was one."""
    if not desk.intent_file.exists():
        return None
    fields = read_json(desk.intent_file)
    intent = Intent(Version(**fields["to"]), fields["before"])
    if desk.gateway.ready().version != intent.to.version:
        desk.gateway.stage(_served(intent.to))
        _switch(desk, intent.to, intent.before)
    set_champion(desk.tracking_uri, intent.to.name, intent.to.version)
    desk.intent_file.unlink()
    return intent.to


def _move(desk: Desk, intent: Intent, switch: Callable[[], object]) -> None:
    write_json(desk.intent_file, asdict(intent))
    try:
        set_champion(desk.tracking_uri, intent.to.name, intent.to.version)
        switch()
    except SluiceError:
        _undo(desk, intent)
        raise
    desk.intent_file.unlink()


def _undo(desk: Desk, intent: Intent) -> None:
    """Put the alias back. If even that fails, the intent stays and the next command heals."""
    try:
        serving = desk.gateway.ready().version
    except ServingError:
        serving = intent.before  # it cannot answer, so it cannot have moved and said so
    if serving == intent.to.version:
        return
    try:
        set_champion(desk.tracking_uri, intent.to.name, intent.before)
    except RegistryError:
        return
    desk.intent_file.unlink()


def _switch(desk: Desk, version: Version, expect: str | None) -> Switched:
    return desk.gateway.switch(_served(version), expect)


def _served(version: Version) -> Served:
    return Served(version.version, version.digest, version.uri)
