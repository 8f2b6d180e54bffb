"""Approvals: a person's decision, bound to one piece of evidence, for one version, for a time.

    asked ── approve ──► approved ── (champion moves) ──► used
      │ └─── reject ───► rejected
      └─ (time passes) ► expired

The record is the approval. A form that was filled in, a resumed run or an event only leads to one;
`publish` reads the record itself, and refuses one that is expired, used, or names other evidence.
"""

from __future__ import annotations

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from sluice.errors import ApprovalError
from sluice.lake import read_json, write_json

State = Literal["asked", "approved", "rejected", "expired", "used"]
NEXT: dict[State, str] = {
    "asked": "`sluice approve` decides on it.",
    "approved": "",
    "rejected": "Run the recipe on new data for another candidate.",
    "expired": "Run the recipe on new data for another candidate.",
    "used": "It was promoted before; `sluice status` shows what answers now.",
}


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval. Times are UTC in ISO 8601; `replaces` is the champion when it was asked for."""

    model: str
    version: str
    model_digest: str
    evidence_digest: str
    replaces: str | None
    asked: str
    expires: str
    run_id: str
    flow_run_id: str | None = None
    state: State = "asked"
    approver: str = ""
    reason: str = ""
    decided: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether its time has passed."""
        return self.seconds_left <= 0

    @property
    def seconds_left(self) -> int:
        """Whole seconds until it expires; 0 or less when it has."""
        left = datetime.fromisoformat(self.expires) - datetime.now(UTC)
        return int(left.total_seconds())


class Approvals:
    """The folder of approvals: one file for each piece of evidence."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, approval: Approval) -> Approval:
        """Ask for an approval, once: asking again for the same evidence gives the first one."""
        with self._locked():
            there = self._read(approval.evidence_digest)
            return there or self._write(approval)

    def bind_flow_run(self, evidence_digest: str, flow_run_id: str) -> Approval:
        """Note which flow run waits for the decision."""
        with self._locked():
            return self._write(replace(self.get(evidence_digest), flow_run_id=flow_run_id))

    def get(self, evidence_digest: str) -> Approval:
        """The approval for a piece of evidence.

        Raises:
            ApprovalError: none was asked for.
        """
        found = self._read(evidence_digest)
        if found is None:
            raise ApprovalError(
                f"No approval was asked for evidence {evidence_digest[:12]}. "
                "`sluice status` lists those that are pending."
            )
        return found

    def current(self, evidence_digest: str) -> Approval:
        """The approval for a piece of evidence, marked as expired if its time has passed."""
        with self._locked():
            return self._current(evidence_digest)

    def decide(
        self, evidence_digest: str, *, approve: bool, approver: str, reason: str
    ) -> Approval:
        """Record a decision; the same decision again changes nothing.

        Raises:
            ApprovalError: it is expired or decided otherwise, or no approver is named.
        """
        if not approver.strip():
            raise ApprovalError("A decision needs a name: say who decides with `--approver NAME`.")
        state: State = "approved" if approve else "rejected"
        with self._locked():
            found = self._current(evidence_digest)
            if found.state == state:
                return found
            if found.state != "asked":
                raise ApprovalError(
                    f"Version {found.version} of {found.model} is already {found.state}"
                    f"{' by ' + found.approver if found.approver else ''}; a decision is taken "
                    "once. Run the recipe on new data for another candidate."
                )
            now = datetime.now(UTC).isoformat(timespec="seconds")
            return self._write(
                replace(found, state=state, approver=approver, reason=reason, decided=now)
            )

    def use(self, evidence_digest: str) -> Approval:
        """Spend an approval: it has moved the champion and cannot do so again.

        Spending it twice changes nothing. One that ran out while the move was under way is spent.

        Raises:
            ApprovalError: nobody has approved it.
        """
        with self._locked():
            found = self.get(evidence_digest)
            if found.state in ("asked", "rejected") or found.decided is None:
                raise ApprovalError(
                    f"Version {found.version} of {found.model} is {found.state}, not approved: "
                    "there is nothing to spend. `sluice status` shows what waits."
                )
            return self._write(replace(found, state="used"))

    def require(self, evidence_digest: str, model_digest: str) -> Approval:
        """The approval that allows this model to be promoted now.

        Raises:
            ApprovalError: there is none, or it is expired, rejected, used, or for another model.
        """
        found = self.current(evidence_digest)
        if found.state != "approved":
            raise ApprovalError(
                f"Version {found.version} of {found.model} is {found.state}, not approved. "
                f"Nothing was promoted. {NEXT[found.state]}"
            )
        if found.model_digest != model_digest:
            raise ApprovalError(
                f"The approval is for model {found.model_digest[:12]}, not {model_digest[:12]}. "
                "Nothing was promoted. Run the recipe again for a new candidate."
            )
        return found

    def all(self) -> list[Approval]:
        """Every approval, the newest first; where the time has passed, marked as expired."""
        with self._locked():
            digests = [p.stem for p in self._folder.glob("*.json")]
            found = [self._current(digest) for digest in digests]
        return sorted(found, key=lambda approval: approval.asked, reverse=True)

    def pending(self) -> list[Approval]:
        """Those that wait for a decision, the newest first."""
        return [approval for approval in self.all() if approval.state == "asked"]

    def _current(self, evidence_digest: str) -> Approval:
        found = self.get(evidence_digest)
        if found.state in ("asked", "approved") and found.is_over:
            return self._write(replace(found, state="expired"))
        return found

    def _read(self, evidence_digest: str) -> Approval | None:
        path = self._folder / f"{evidence_digest}.json"
        return Approval(**read_json(path)) if path.exists() else None

    def _write(self, approval: Approval) -> Approval:
        write_json(self._folder / f"{approval.evidence_digest}.json", asdict(approval))
        return approval

    @contextmanager
    def _locked(self) -> Generator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two people may answer at once
            yield


def new_approval(
    model: str,
    version: str,
    model_digest: str,
    evidence_digest: str,
    replaces: str | None,
    run_id: str,
    hours: float,
) -> Approval:
    """An approval to be asked for now, open for `hours`."""
    now = datetime.now(UTC)
    return Approval(
        model=model,
        version=version,
        model_digest=model_digest,
        evidence_digest=evidence_digest,
        replaces=replaces,
        asked=now.isoformat(timespec="milliseconds"),
        expires=(now + timedelta(hours=hours)).isoformat(timespec="seconds"),
        run_id=run_id,
    )
