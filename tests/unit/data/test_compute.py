"""Engines: results come in the order of items, whoever computes them, and errors come through."""

from __future__ import annotations

import os
import sys
from functools import partial

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
