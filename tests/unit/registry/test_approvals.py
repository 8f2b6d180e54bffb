from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sluice.errors import ApprovalError
from sluice.registry import approvals as module
from sluice.registry.approvals import Approval, Approvals, new_approval

EVIDENCE, MODEL = "e" * 64, "d" * 64
DECIDERS = 6


def asked(folder: Path, hours: float = 1.0) -> Approvals:
    """Approvals in which one waits."""
    approvals = Approvals(folder)
    approvals.ask(new_approval("shop", "2", MODEL, EVIDENCE, "1", "run", hours))
    return approvals


def test_the_way_of_an_approval(tmp_path: Path) -> None:
    approvals = asked(tmp_path)
    assert [a.version for a in approvals.pending()] == ["2"]
    approvals.bind_flow_run(EVIDENCE, "flow")
    approvals.decide(EVIDENCE, approve=True, approver="Ann", reason="better")
    allowed = approvals.require(EVIDENCE, MODEL)
    assert (allowed.approver, allowed.reason, allowed.replaces, allowed.flow_run_id) == (
        "Ann", "better", "1", "flow",
    )  # fmt: skip
    assert approvals.use(EVIDENCE).state == "used"
    assert approvals.pending() == []


def test_asking_again_changes_nothing(tmp_path: Path) -> None:
    approvals = asked(tmp_path)
    approvals.decide(EVIDENCE, approve=False, approver="Ann", reason="")
    again = approvals.ask(new_approval("shop", "2", MODEL, EVIDENCE, "1", "other run", 99))
    assert (again.state, again.run_id) == ("rejected", "run")


def test_the_same_decision_again_changes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    approvals = asked(tmp_path)
    first = approvals.decide(EVIDENCE, approve=True, approver="Ann", reason="")
    assert approvals.decide(EVIDENCE, approve=True, approver="Ben", reason="") == first
    with pytest.raises(ApprovalError, match="already approved by Ann; a decision is taken once"):
        approvals.decide(EVIDENCE, approve=False, approver="Ben", reason="")


def test_nobody_is_no_approver(tmp_path: Path) -> None:
    with pytest.raises(ApprovalError, match="--approver NAME"):
        asked(tmp_path).decide(EVIDENCE, approve=True, approver="  ", reason="")


def test_what_was_never_asked_for_is_refused(tmp_path: Path) -> None:
    approvals = Approvals(tmp_path)
    for ask in (approvals.get, approvals.current, approvals.use):
        with pytest.raises(ApprovalError, match="No approval was asked for evidence eeeeeeeeeeee"):
            ask(EVIDENCE)


def test_another_model_under_the_same_evidence_is_refused(tmp_path: Path) -> None:
    approvals = asked(tmp_path)
    approvals.decide(EVIDENCE, approve=True, approver="Ann", reason="")
    with pytest.raises(ApprovalError, match="is for model dddddddddddd, not ffffffffffff"):
        approvals.require(EVIDENCE, "f" * 64)


@pytest.mark.parametrize("approve", [True, False])
def test_only_an_approval_can_be_spent(tmp_path: Path, approve: bool) -> None:
    approvals = asked(tmp_path)
    with pytest.raises(ApprovalError, match="is asked, not approved"):
        approvals.use(EVIDENCE)
    approvals.decide(EVIDENCE, approve=approve, approver="Ann", reason="")
    if not approve:
        with pytest.raises(ApprovalError, match="is rejected, not approved"):
            approvals.use(EVIDENCE)


def test_one_of_many_who_decide_at_once_is_heard(tmp_path: Path) -> None:
    """Half approve and half reject, in processes of their own, all at the same moment."""
    asked(tmp_path)
    code = (
        "import sys, time; from pathlib import Path\n"
        "from sluice.registry.approvals import Approvals\n"
        "from sluice.errors import ApprovalError\n"
        "print(flush=True); sys.stdin.readline()\n"
        "try:\n"
        f"    Approvals(Path(sys.argv[1])).decide({EVIDENCE!r}, approve=sys.argv[2] == 'yes',"
        " approver=sys.argv[3], reason='')\n"
        "except ApprovalError:\n    sys.exit(3)"
    )
    deciders = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path), ("yes", "no")[n % 2], f"person {n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for n in range(DECIDERS)
    ]
    for decider in deciders:
        assert decider.stdout is not None
        decider.stdout.readline()
    for decider in deciders:
        decider.communicate(b"\n", timeout=30)
    found = Approvals(tmp_path).get(EVIDENCE)
    number = int(found.approver.split()[1])
    agreed = [(n % 2 == number % 2) for n in range(DECIDERS)]
    assert [decider.returncode == 0 for decider in deciders] == agreed
    assert found.state == ("rejected" if number % 2 else "approved")


class Clock:
    """Stands in for `datetime`; its time moves only when it is told to."""

    now_is = datetime(2026, 1, 1, tzinfo=UTC)
    fromisoformat = staticmethod(datetime.fromisoformat)

    @classmethod
    def now(cls, zone: object) -> datetime:
        return cls.now_is


class Desk(RuleBasedStateMachine):
    """People decide, models are promoted and time passes, in any order."""

    @initialize(hours=st.floats(0.01, 100))
    def ask(self, hours: float) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = patch.object(module, "datetime", Clock)
        self.clock.start()
        Clock.now_is = datetime(2026, 1, 1, tzinfo=UTC)
        self.approvals = asked(Path(self.folder.name), hours)
        self.ends = Clock.now_is + timedelta(hours=hours)
        self.decisions: list[bool] = []
        self.uses = 0

    @rule(hours=st.floats(0, 40))
    def wait(self, hours: float) -> None:
        Clock.now_is += timedelta(hours=hours)

    @rule(approve=st.booleans(), approver=st.sampled_from(["Ann", "Ben", ""]))
    def decide(self, approve: bool, approver: str) -> None:
        try:
            self.approvals.decide(EVIDENCE, approve=approve, approver=approver, reason="")
        except ApprovalError:
            return
        assert approver
        assert self.ends >= Clock.now_is or self.decisions == [approve]
        if approve not in self.decisions:
            self.decisions.append(approve)

    @rule(digest=st.sampled_from([MODEL, "f" * 64]))
    def promote(self, digest: str) -> None:
        try:
            self.approvals.require(EVIDENCE, digest)
        except ApprovalError:
            return
        assert digest == MODEL
        assert self.decisions == [True]
        assert self.ends >= Clock.now_is
        self.approvals.use(EVIDENCE)
        self.uses += 1

    @rule()
    def look(self) -> None:
        (found,) = self.approvals.all()
        assert found.state != "asked" or self.ends >= Clock.now_is
        assert (found.state == "asked") == (found in self.approvals.pending())

    @invariant()
    def decided_and_used_at_most_once(self) -> None:
        assert len(getattr(self, "decisions", [])) <= 1
        assert getattr(self, "uses", 0) <= 1

    def teardown(self) -> None:
        if hasattr(self, "clock"):
            self.clock.stop()
            self.folder.cleanup()


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)


def test_one_that_ran_out_while_the_champion_moved_is_still_spent(tmp_path: Path) -> None:
    approvals = asked(tmp_path, hours=1)
    decided = approvals.decide(EVIDENCE, approve=True, approver="Ann", reason="")
    late = replace(decided, expires="2020-01-01T00:00:00+00:00", state="expired")
    approvals._write(late)
    assert approvals.use(EVIDENCE).state == "used"


def test_the_newest_comes_first(tmp_path: Path) -> None:
    approvals = Approvals(tmp_path)
    made: list[Approval] = []
    for number in range(3):
        approval = new_approval("shop", str(number), MODEL, f"{number:064x}", None, "run", 1)
        made.append(approvals.ask(replace(approval, asked=f"2026-01-0{number + 1}T00:00:00+00:00")))
    assert approvals.all() == made[::-1]
