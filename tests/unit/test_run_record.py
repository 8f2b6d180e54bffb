from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import psutil
import pytest

from sluice import settling
from sluice.home import Home
from sluice.registry.approvals import Approvals, new_approval
from sluice.run_record import (
    CONCLUDED,
    Outcome,
    RunRecord,
    concluded,
    find_record,
    new_record,
    read_records,
)
from sluice.settling import settle

EVIDENCE = "e" * 64


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def waiting(home: Home, hours: float) -> tuple[RunRecord, Approvals]:
    """A run that awaits an approval, and the approvals."""
    record = replace(
        new_record("shop", None).with_step("train", 3.0, "model"),
        outcome="awaiting approval",
        evidence_digest=EVIDENCE,
    ).save(home.runs)
    approvals = Approvals(home.approvals)
    approvals.ask(new_approval("shop", "1", "d" * 64, EVIDENCE, None, record.run_id, hours))
    return record, approvals


def test_a_record_survives_the_disk(home: Home) -> None:
    record = new_record("shop", "run").with_step("train", 1.234, "model").save(home.runs)
    assert find_record(home.runs, record.run_id) == record
    assert find_record(home.runs, "other") is None


def test_records_come_newest_first_even_within_a_second(home: Home) -> None:
    made = [new_record("shop", None).save(home.runs).run_id for _ in range(50)]
    assert [record.run_id for record in read_records(home.runs)] == made[::-1]
    assert [record.run_id for record in settle(home)] == made[::-1]


def test_a_step_that_is_done_again_replaces_its_line() -> None:
    record = new_record("shop", None).with_step("a", 1, "x").with_step("b", 1, "x")
    assert [(s.name, s.detail) for s in record.with_step("a", 2, "y").steps] == [
        ("b", "x"),
        ("a", "y"),
    ]


def test_an_ended_run_knows_how_long_it_took() -> None:
    record = replace(new_record("shop", None), started="2020-01-01T00:00:00+00:00")
    assert record.ended("failed", "no").seconds > 1e8


def test_only_a_run_that_judged_counts_as_concluded(home: Home) -> None:
    for outcome in get_args(Outcome):
        record = replace(new_record("shop", None), key="k", outcome=outcome)
        assert (concluded([record], "k") is not None) == (outcome in CONCLUDED)
        assert concluded([record], "other") is None
    assert not CONCLUDED & {"running", "failed", "skipped"}


def test_a_run_whose_process_lives_is_left_alone(home: Home) -> None:
    record = new_record("shop", None).save(home.runs)
    assert settle(home) == [record]


def test_a_run_whose_process_was_killed_has_failed(home: Home) -> None:
    child = (
        "import sys, time; from pathlib import Path; from sluice.run_record import new_record\n"
        "new_record('shop', None).with_step('ingest', 2.5, '').save(Path(sys.argv[1]))\n"
        "print(flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", child, str(home.runs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (alive,) = settle(home)
        process.kill()
        process.wait()
    assert alive.outcome == "running"
    (dead,) = settle(home)
    assert (dead.outcome, dead.seconds) == ("failed", 2.5)
    assert "Run again: it continues where it stopped" in dead.detail
    assert settle(home) == [dead]


def test_a_process_id_that_was_given_out_again_does_not_keep_a_run_alive(home: Home) -> None:
    born = psutil.Process().create_time() - 60
    replace(new_record("shop", None), process_id=os.getpid(), process_born=born).save(home.runs)
    assert settle(home)[0].outcome == "failed"


def test_an_outcome_that_is_written_while_we_look_is_not_overwritten(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = new_record("shop", None).save(home.runs)

    def ends_meanwhile(seen: RunRecord) -> bool:
        replace(seen, outcome="skipped").save(home.runs)
        return False

    monkeypatch.setattr(settling, "_alive", ends_meanwhile)
    assert settle(home)[0].outcome == "skipped"
    assert find_record(home.runs, record.run_id) == replace(record, outcome="skipped")


def test_a_run_that_awaits_approval_goes_on_waiting(home: Home) -> None:
    record, _ = waiting(home, hours=1)
    assert settle(home) == [record]


def test_a_run_whose_approval_ran_out_has_expired(home: Home) -> None:
    waiting(home, hours=1e-9)
    time.sleep(0.01)
    assert settle(home)[0].outcome == "expired"


@pytest.mark.parametrize(
    ("approve", "outcome"), [(True, "promoted"), (False, "rejected by approver")]
)
def test_a_run_has_the_outcome_of_its_approval(home: Home, approve: bool, outcome: str) -> None:
    _, approvals = waiting(home, hours=1)
    approvals.decide(EVIDENCE, approve=approve, approver="Ann", reason="")
    if approve:
        assert settle(home)[0].outcome == "awaiting approval"  # not carried out yet
        approvals.use(EVIDENCE)
    assert settle(home)[0].outcome == outcome
