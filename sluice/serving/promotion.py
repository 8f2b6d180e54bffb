"""Move the champion: the alias in the registry and the gateway's pointer, together or not at all.

    verify bytes → approval → stage (load, smoke question) → intent → alias → pointer → spend → done

Nothing moves before the candidate has answered on the gateway itself. The intent is written before
the first of the two moves and removed last, when the approval is spent. A move that fails is
undone; a move that a crash cut short is finished from the intent by whoever comes next (`heal`).
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path

from sluice.errors import ApprovalError, RegistryError, ServingError, SluiceError
from sluice.home import Home
from sluice.lake import read_json, write_json
from sluice.refs import Ref
from sluice.registry.approvals import Approval, Approvals
from sluice.registry.versions import (
    CHAMPION,
    Version,
    by_alias,
    set_challenger,
    set_champion,
    tag_version,
)
from sluice.serving.client import GatewayClient, GatewayRefusedError, StagedVersion, Switched
from sluice.serving.pointer import Served, read_pointer

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
    if heal(desk) == version:
        return desk.gateway.stage(_served(version))  # it is champion now: only its answer is asked
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
    _move(desk, Intent(version, current))
    return staged


def rollback(desk: Desk) -> Switched:
    """Let the previous champion answer again: the server first, since users are waiting.

    If MLflow does not answer, the server has gone back all the same, and the intent stays: the
    alias follows when `heal` finds MLflow there again.

    Raises:
        ServingError: there is no previous version, or the gateway did not go back.
        RegistryError: the server went back, but the alias could not follow yet.
    """
    # Trouble with an older move does not hold this one up: its intent takes the older one's place.
    with contextlib.suppress(RegistryError, GatewayRefusedError):
        heal(desk)
    model = desk.gateway.ready().model
    pointer = read_pointer(desk.home.serving)
    if pointer.previous is None:
        raise ServingError(
            "There is no previous version to go back to: at most one version was promoted in this "
            "home. Nothing was changed."
        )
    intent = Intent(_as_version(model, pointer.previous), _number(pointer.current))
    write_json(desk.intent_file, asdict(intent))
    try:
        switched = desk.gateway.rollback(intent.before)
    except ServingError:
        if _serving(desk) != intent.to.version:
            desk.intent_file.unlink()  # nothing has moved
        raise
    set_champion(desk.tracking_uri, model, intent.to.version)
    desk.intent_file.unlink()
    return switched


def heal(desk: Desk) -> Version | None:
    """Finish a move that was cut short; returns the version that it moved to, if there was one.

    If the gateway refuses the version, the move is undone instead: it must not stand in the way of
    every move after it.

    Raises:
        ServingError: the gateway did not answer, or refused the version.
        RegistryError: MLflow did not answer; the move is still to be finished.
    """
    if not desk.intent_file.exists():
        return None
    fields = read_json(desk.intent_file)
    intent = Intent(Version(**fields["to"]), fields["before"])
    try:
        if _serving(desk) != intent.to.version:
            desk.gateway.stage(_served(intent.to))
            desk.gateway.switch(_served(intent.to), intent.before)
    except GatewayRefusedError:
        _undo(desk, intent)
        raise
    _spend(desk, intent.to)  # before MLflow is asked: it may be away
    set_champion(desk.tracking_uri, intent.to.name, intent.to.version)
    _finish(desk, intent)
    return intent.to


def _move(desk: Desk, intent: Intent) -> None:
    write_json(desk.intent_file, asdict(intent))
    try:
        set_champion(desk.tracking_uri, intent.to.name, intent.to.version)
        desk.gateway.switch(_served(intent.to), intent.before)
    except SluiceError:
        if _serving(desk) != intent.to.version:
            _undo(desk, intent)
            raise
        # It did switch, and only its answer was lost: the alias follows, now or when healed.
        set_champion(desk.tracking_uri, intent.to.name, intent.to.version)
    _finish(desk, intent)


def _finish(desk: Desk, intent: Intent) -> None:
    """Spend the approval, note who gave it, and close the journal; done again, it does no harm."""
    version = intent.to
    spent = _spend(desk, version)
    if spent is not None:
        tags = {"sluice.approver": spent.approver, "sluice.reason": spent.reason}
        tag_version(desk.tracking_uri, version.name, version.version, tags)
    desk.intent_file.unlink()


def _spend(desk: Desk, version: Version) -> Approval | None:
    """The approval of a version, spent; None for a rollback, which needs none."""
    if _approval(desk, version) is None:
        return None
    return Approvals(desk.home.approvals).use(version.evidence_digest)


def _approval(desk: Desk, version: Version) -> Approval | None:
    found = Approvals(desk.home.approvals).all()
    return next((a for a in found if a.evidence_digest == version.evidence_digest), None)


def _undo(desk: Desk, intent: Intent) -> None:
    """Put the aliases back. If even that fails, the intent stays and the next command heals."""
    name, approval = intent.to.name, _approval(desk, intent.to)
    try:
        set_champion(desk.tracking_uri, name, intent.before)
        if approval is not None and approval.state == "approved":
            set_challenger(desk.tracking_uri, name, intent.to.version)
    except RegistryError:
        return
    desk.intent_file.unlink()


def _serving(desk: Desk) -> str | None:
    """The version that answers, or that will once the gateway runs: the pointer is its memory."""
    try:
        ready = desk.gateway.ready()
    except ServingError:
        ready = None
    if ready is not None and ready.ready:
        return ready.version
    return _number(read_pointer(desk.home.serving).current)


def _number(served: Served | None) -> str | None:
    return served.version if served else None


def _as_version(model: str, served: Served) -> Version:
    """A served version without asking MLflow. What only MLflow knows of it stays empty."""
    return Version(model, served.version, served.digest, served.folder, "", "")


def _served(version: Version) -> Served:
    return Served(version.version, version.digest, version.uri)
