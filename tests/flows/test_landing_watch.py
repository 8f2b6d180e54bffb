"""The watcher's patience, the lock of a home, and when the same data is worth another look."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from flows.run_lock import only_run, refuse_second_run
from sluice.errors import SluiceError
from sluice.freshness import reason_to_skip
from sluice.home import Home
from sluice.registry.approvals import Approvals, State, new_approval
from sluice.run_record import new_record
from sluice.serving.pointer import Pointer, Served, write_pointer

pytestmark = pytest.mark.filterwarnings("default")  # of Prefect's import


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_file_that_still_grows_is_left_alone(tmp_path: Path) -> None:
    from flows.landing_watch import Settling

    now = 0.0
    settling = Settling(3.0, clock=lambda: now)
    file = tmp_path / "month.jsonl"
    file.write_text("half")
    assert settling.settled([file]) == []
    now = 2.0
    file.write_text("half and the rest")
    assert settling.settled([file]) == []
    now = 4.0
    assert settling.settled([file]) == []  # 2 s since it grew
    now = 5.0
    assert settling.settled([file]) == [file]


def test_a_file_that_was_written_over_settles_anew(tmp_path: Path) -> None:
    from flows.landing_watch import Settling

    now = 0.0
    settling = Settling(1.0, clock=lambda: now)
    file = tmp_path / "month.jsonl"
    file.write_text("one")
    settling.settled([file])
    now = 2.0
    file.write_text("two")  # the same size
    os.utime(file, ns=(1, 1))
    assert settling.settled([file]) == []


def test_a_second_run_is_told_which_process_runs(home: Home) -> None:
    with only_run(home), pytest.raises(SluiceError, match=rf"under way \(process {os.getpid()}\)"):
        refuse_second_run(home)
    refuse_second_run(home)


@pytest.mark.parametrize(
    ("state", "champion", "skipped"),
    [
        ("asked", "1", True),  # the champion it was judged against
        ("asked", "2", True),  # itself: promoted a moment ago
        ("asked", "3", False),  # another one since: it could not be promoted any more
        ("approved", "3", False),
        ("rejected", "3", True),
        ("used", "3", True),
    ],
)
def test_the_same_data_is_judged_again_only_against_another_champion(
    home: Home, state: State, champion: str, skipped: bool
) -> None:
    record = replace(new_record("shop", None), key="k", evidence_digest="e" * 64)
    record.ended("awaiting approval", "").save(home.runs)
    asked = new_approval("shop", "2", "m" * 64, "e" * 64, "1", record.run_id, 1.0)
    Approvals(home.approvals).ask(replace(asked, state=state))
    served = Served(champion, "d" * 64, "models/" + "d" * 64)
    write_pointer(home.serving, Pointer(served, None))
    assert (reason_to_skip(home, "k", 1) is not None) == skipped
