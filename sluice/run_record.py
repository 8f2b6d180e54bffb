"""The record of a run: one JSON file that says what was done and how it ended.

Every run ends in one named outcome. The record is written when the run starts, after each step,
and at the end; a run whose process was killed is left as `running` and is told by its process id.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil

from sluice.lake import read_json, write_json

Outcome = Literal[
    "running",
    "promoted",
    "awaiting approval",
    "rejected by gate",
    "inconclusive",
    "rejected by approver",
    "expired",
    "skipped",
    "failed",
]
# A run with one of these has judged its data: the same data need not be run again.
CONCLUDED: frozenset[str] = frozenset(
    {
        "promoted",
        "awaiting approval",
        "rejected by gate",
        "inconclusive",
        "rejected by approver",
        "expired",
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run: wall time in seconds and one line of what came of it."""

    name: str
    seconds: float
    detail: str


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run did.

    `key` is the digest of all that decides its verdict, and `sections` has the digests of the
    recipe's sections; times are UTC, ISO 8601. `process_born` is when its process started, in
    seconds since 1970: a process id that was given out again is told apart by it.
    """

    run_id: str
    model: str
    started: str
    outcome: Outcome = "running"
    detail: str = ""
    seconds: float = 0.0
    key: str | None = None
    flow_run_id: str | None = None
    promote_flow_run_id: str | None = None
    tracking_run_id: str | None = None
    version: str | None = None
    model_digest: str | None = None
    evidence_digest: str | None = None
    steps: tuple[Step, ...] = ()
    links: dict[str, str] = field(default_factory=dict[str, str])
    sections: dict[str, str] = field(default_factory=dict[str, str])
    process_id: int = 0
    process_born: float = 0.0

    def path(self, runs: Path) -> Path:
        """Where the record lies in the folder of records."""
        return runs / f"{self.run_id}.json"

    def save(self, runs: Path) -> RunRecord:
        """Write the record; returns it."""
        write_json(self.path(runs), asdict(self))
        return self

    def with_step(self, name: str, seconds: float, detail: str) -> RunRecord:
        """The record with one more step; a step that is done again replaces its earlier line."""
        kept = tuple(step for step in self.steps if step.name != name)
        return replace(self, steps=(*kept, Step(name, round(seconds, 2), detail)))

    def ended(self, outcome: Outcome, detail: str) -> RunRecord:
        """The record with its outcome and the time since it started."""
        seconds = (datetime.now(UTC) - datetime.fromisoformat(self.started)).total_seconds()
        return replace(self, outcome=outcome, detail=detail, seconds=round(seconds, 2))


def new_record(model: str, flow_run_id: str | None) -> RunRecord:
    """A record for a run that starts now. Its id sorts by time."""
    now = datetime.now(UTC)
    return RunRecord(
        run_id=f"{now:%Y%m%dT%H%M%S-%f}",
        model=model,
        started=now.isoformat(timespec="seconds"),
        flow_run_id=flow_run_id,
        process_id=os.getpid(),
        process_born=psutil.Process().create_time(),
    )


def read_records(runs: Path) -> list[RunRecord]:
    """All records, the newest first."""
    return [_from_json(read_json(p)) for p in sorted(runs.glob("*.json"), reverse=True)]


def _from_json(fields: dict[str, Any]) -> RunRecord:
    steps = tuple(Step(**step) for step in fields.pop("steps"))
    return RunRecord(**fields, steps=steps)


def concluded(records: Iterable[RunRecord], key: str) -> RunRecord | None:
    """The newest run that judged exactly the same data, recipe and evaluation rows, if any did."""
    return next((r for r in records if r.key == key and r.outcome in CONCLUDED), None)


def newest_concluded(records: Iterable[RunRecord]) -> RunRecord | None:
    """The newest run that judged anything, of records that come newest first."""
    return next((r for r in records if r.outcome in CONCLUDED), None)


def find_record(runs: Path, run_id: str) -> RunRecord | None:
    """A record by its id."""
    path = runs / f"{run_id}.json"
    return _from_json(read_json(path)) if path.exists() else None
