"""Engines: results come in the order of items, whoever computes them, and errors come through."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from sluice.data import compute
from sluice.data.compute import ThisMachine, ThisProcess, engine_of
from sluice.errors import BatchError, SluiceError
from sluice.recipe import ComputeSection


def where_and_square(number: int) -> tuple[int, int]:
    """The process that worked, and a result."""
    return os.getpid(), number * number


def refuse(worst: int, number: int) -> int:
    if number == worst:
        raise BatchError(f"Number {number} cannot be used.")
    return number


def test_small_work_is_done_where_it_is_asked_for() -> None:
    told: list[tuple[int, int]] = []
    results = ThisMachine(2).map(
        where_and_square, range(5), lambda done, of: told.append((done, of))
    )
    assert results == [(os.getpid(), n * n) for n in range(5)]
    assert told == [(n, 5) for n in range(1, 6)]
    assert results == ThisProcess().map(where_and_square, range(5))
    assert ThisMachine(2).map(where_and_square, []) == []


def test_long_work_goes_to_processes_which_stay_and_results_keep_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = ThisMachine(2)
    monkeypatch.setattr(compute, "INLINE_SECONDS", -1)
    told: list[int] = []
    first = engine.map(where_and_square, range(40), lambda done, _of: told.append(done))
    assert [square for _, square in first] == [n * n for n in range(40)]
    workers = {process for process, _ in first}
    assert os.getpid() not in workers
    assert told == list(range(1, 41))
    again = {process for process, _ in engine.map(where_and_square, range(40))}
    assert again <= workers or workers <= again
    with pytest.raises(BatchError, match=r"^Number 7 cannot be used\.$"):
        engine.map(partial(refuse, 7), range(20))
    assert engine.map(partial(refuse, -1), range(3)) == [0, 1, 2], "it goes on after an error"


def test_an_error_here_is_raised_at_once() -> None:
    done: list[int] = []
    with pytest.raises(BatchError, match="Number 3"):
        ThisProcess().map(partial(refuse, 3), range(9), lambda count, _of: done.append(count))
    assert done == [1, 2, 3]


def test_one_worker_is_this_process_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "INLINE_SECONDS", -1)
    assert {where for where, _ in ThisMachine(1).map(where_and_square, range(9))} == {os.getpid()}


def test_the_recipe_says_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(engine_of(ComputeSection()), ThisMachine)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SluiceError, match=r"pip install 'sluice-train\[ray\]'"):
        engine_of(ComputeSection(engine="ray"))


def test_the_processes_are_as_many_as_the_cores_that_may_be_used() -> None:
    cores = len(os.sched_getaffinity(0))
    assert vars(engine_of(ComputeSection()))["_workers"] == cores
    assert vars(engine_of(ComputeSection(workers=3)))["_workers"] == 3


def begin_and_stay(note: Path) -> None:
    """Note which process works on it, and go on working."""
    note.write_text(str(os.getpid()))
    time.sleep(600)


def test_kill_9_leaves_no_worker_behind(tmp_path: Path) -> None:
    script, notes = tmp_path / "killed.py", [tmp_path / "one", tmp_path / "two"]
    script.write_text(
        "from pathlib import Path\n"
        "from sluice.data import compute\n"
        "from tests.unit.data.test_compute import begin_and_stay\n"
        'if __name__ == "__main__":\n'
        "    compute.INLINE_SECONDS = -1\n"
        f"    notes = [Path(name) for name in {[str(note) for note in notes]}]\n"
        "    compute.ThisMachine(2).map(begin_and_stay, notes)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    parent = subprocess.Popen([sys.executable, str(script)], env=environment)
    end = time.monotonic() + 60
    while not all(note.exists() and note.read_text() for note in notes):
        assert time.monotonic() < end, "the workers did not begin"
        time.sleep(0.1)
    workers = [psutil.Process(int(note.read_text())) for note in notes]
    parent.kill()
    parent.wait()
    assert psutil.wait_procs(workers, timeout=10)[1] == []
