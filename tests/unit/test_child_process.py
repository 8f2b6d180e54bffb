from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from sluice.child_process import EARLIER, EVENTS, LOG, Event, EventWriter, run_module
from sluice.errors import StepProcessError, TrainingError
from sluice.lake import read_json

TESTS = Path(__file__).parents[1]
STEP = "children.step"


@pytest.fixture(autouse=True)
def _find_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    def start(on_event: Callable[[Event], None] = lambda event: None, **request: Any) -> Any:
        return run_module(
            STEP,
            request,
            tmp_path / "work",
            on_event=on_event,
            timeout_seconds=30,
            error=TrainingError,
        )

    return start


def gone(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def pids_in(path: Path) -> list[int]:
    """The process ids that a child wrote down."""
    for _ in range(200):
        if path.exists() and " " in path.read_text(encoding="utf-8"):
            return [int(pid) for pid in path.read_text(encoding="utf-8").split()]
        time.sleep(0.05)
    raise TimeoutError("the child wrote no process ids")


def test_events_arrive_in_order_and_the_result_comes_back(run: Callable[..., Any]) -> None:
    seen: list[Event] = []
    assert run(seen.append, emit=list(range(500))) == {"emitted": 500}
    assert [event["n"] for event in seen] == list(range(500))
    assert all(event["time_ms"] > 1.7e12 for event in seen)


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("refuse", r"^There is nothing to train on\. Give it rows\.$"),
        ("break", "^ValueError: broken$"),
        ("full", r"disk is full \(/disk/file\)\. Free some space, then run again"),
        ("SIGKILL", "ran out of memory: lower `training.batch_size`"),
        ("SIGTERM", "was ended by SIGTERM. Run again to continue"),
        ("exit", "(?s)exit code 3 and no result.*the last words"),
    ],
)
def test_every_end_is_the_given_error_with_its_words(
    run: Callable[..., Any], end: str, words: str
) -> None:
    with pytest.raises(TrainingError, match=words):
        run(end=end)


def test_the_result_of_an_earlier_process_is_not_taken_for_this_one(
    run: Callable[..., Any],
) -> None:
    run(emit=[1])
    with pytest.raises(TrainingError, match="no result"):
        run(end="exit")


def test_time_over_ends_the_child_and_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    request = {"grandchild": str(pids), "end": "sleep"}
    with pytest.raises(StepProcessError, match=r"stopped after 0\.0 minutes\. Raise the timeout"):
        run_module(
            STEP, request, tmp_path / "work", on_event=lambda event: None, timeout_seconds=2.0
        )
    assert all(gone(pid) for pid in pids_in(pids))


def test_an_interrupt_while_following_ends_the_child_and_its_children(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    pids = tmp_path / "pids"
    with pytest.raises(KeyboardInterrupt):
        run(interrupt, grandchild=str(pids), end="sleep")
    assert all(gone(pid) for pid in pids_in(pids))


def test_a_child_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    command = [sys.executable, "-m", "children.parent", str(tmp_path / "work"), str(pids)]
    with subprocess.Popen(command) as parent:
        child, grandchild = pids_in(pids)
        parent.kill()
    assert gone(child)
    os.kill(grandchild, signal.SIGKILL)  # only the child itself asked to die with its parent


def test_after_a_crash_only_events_that_still_hold_are_seen_again(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError):
        run(emit=[1, 2, 3, 4], end="exit")
    seen: list[Event] = []
    run(seen.append, keep_until=2, emit=[3, 4, 5])
    assert [event["n"] for event in seen] == [1, 2, 3, 4, 5]
    with pytest.raises(TrainingError):
        run(seen.append, end="exit")  # it died before it said anything: what was said is kept
    seen.clear()
    run(seen.append, keep_until=4, emit=[5])
    assert [event["n"] for event in seen] == [1, 2, 3, 4, 5]
    assert read_json(tmp_path / "work" / "request.json")["keep_until"] == 4


def test_keep_passes_over_a_line_that_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / EARLIER).write_bytes('{"n": 1}\n{"n": 2, "t": "\u2028"}\n{"n": 3, "los'.encode())
    with contextlib.closing(EventWriter(tmp_path / EVENTS)) as emit:
        emit.keep(lambda event: True)
    lines = (tmp_path / EVENTS).read_text(encoding="utf-8").split("\n")
    assert len(lines) == 3
    assert lines[2] == ""


def test_what_the_child_prints_is_in_its_log(run: Callable[..., Any], tmp_path: Path) -> None:
    run()
    assert "the last words" in (tmp_path / "work" / LOG).read_text(encoding="utf-8")
