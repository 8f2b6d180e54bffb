"""Give an outcome to runs that could not do so themselves."""

from __future__ import annotations

import os
from dataclasses import replace

import psutil

from sluice.home import Home
from sluice.registry.approvals import Approvals
from sluice.run_record import Outcome, RunRecord, read_records

APPROVAL_OUTCOMES: dict[str, Outcome] = {
    "expired": "expired",
    "rejected": "rejected by approver",
    "used": "promoted",
}


def settle(home: Home) -> list[RunRecord]:
    """Give an outcome to runs that could not do so themselves; returns all records, newest first.

    A run whose process is gone has failed. A run that awaits an approval that was since decided,
    or whose time has passed, has the outcome of that.
    """
    states = {approval.evidence_digest: approval for approval in Approvals(home.approvals).all()}
    settled: list[RunRecord] = []
    for record in read_records(home.runs):
        approval = states.get(record.evidence_digest or "")
        if record.outcome == "running" and not _alive(record):
            record = record.ended(
                "failed", "Its process was killed. Run again: it continues where it stopped."
            ).save(home.runs)
        elif record.outcome == "awaiting approval" and approval is not None:
            outcome = APPROVAL_OUTCOMES.get(approval.state)
            if outcome:
                record = replace(record, outcome=outcome).save(home.runs)
        settled.append(record)
    return settled


def _alive(record: RunRecord) -> bool:
    return record.process_id == os.getpid() or psutil.pid_exists(record.process_id)
