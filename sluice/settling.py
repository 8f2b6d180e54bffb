"""Give an outcome to runs that could not do so themselves."""

from __future__ import annotations

from dataclasses import replace

import psutil

from sluice.home import Home
from sluice.registry.approvals import Approval, Approvals
from sluice.run_record import Outcome, RunRecord, find_record, read_records

SAME_SECONDS = 1.0  # start times are read from the kernel in hundredths of a second
OUTCOMES: dict[str, Outcome] = {
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
            record = _bury(home, record)
        elif record.outcome == "awaiting approval" and approval is not None:
            outcome = OUTCOMES.get(approval.state)
            if outcome:
                detail = told(approval)
                record = replace(record, outcome=outcome, detail=detail).save(home.runs)
        settled.append(record)
    return settled


def told(approval: Approval) -> str:
    """What became of an approval, in one sentence."""
    version = f"version {approval.version}"
    if approval.state == "expired":
        return f"nobody decided on {version} before {approval.expires}"
    done = "promoted" if approval.state == "used" else "rejected"
    reason = f": {approval.reason}" if approval.reason else ""
    return f"{version} was {done} by {approval.approver}{reason}"


def _alive(record: RunRecord) -> bool:
    try:
        process = psutil.Process(record.process_id)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return abs(process.create_time() - record.process_born) < SAME_SECONDS
    except psutil.NoSuchProcess:
        return False


def _bury(home: Home, record: RunRecord) -> RunRecord:
    # Read again: it may have written its outcome after we read and ended before we looked for it.
    last = find_record(home.runs, record.run_id) or record
    if last.outcome != "running":
        return last
    detail = "Its process was killed. Run again: it continues where it stopped."
    seconds = round(sum(step.seconds for step in last.steps), 2)  # nobody knows when it died
    return replace(last, outcome="failed", detail=detail, seconds=seconds).save(home.runs)
