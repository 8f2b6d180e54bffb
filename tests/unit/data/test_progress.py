"""Progress: rows per second and time left are told for each part that is done."""

from __future__ import annotations

import pytest

from sluice.data.compute import ThisProcess
from sluice.data.progress import Progress, WatchedEngine


def double(number: int) -> int:
    return 2 * number


def test_each_part_is_told_under_the_name_of_the_stage() -> None:
    told: list[Progress] = []
    engine = WatchedEngine(ThisProcess(), told.append)
    counted: list[int] = []
    engine.begin("clean", 4000)
    assert engine.map(double, [1, 2], lambda done, _of: counted.append(done)) == [2, 4]
    engine.begin("compare", 10)
    assert engine.map(double, [5]) == [10]
    assert [(p.stage, p.rows, p.done, p.of) for p in told] == [
        ("clean", 4000, 1, 2),
        ("clean", 4000, 2, 2),
        ("compare", 10, 1, 1),
    ]
    assert counted == [1, 2], "who asked to be told is told too"
    assert all(p.seconds >= 0 for p in told)


def test_speed_and_time_left_follow_from_what_is_done() -> None:
    progress = Progress("clean", rows=8_000_000, done=2, of=8, seconds=4.0)
    assert progress.rows_per_second == pytest.approx(500_000)
    assert progress.seconds_left == pytest.approx(12)
    assert progress.told == "clean: part 2 of 8, 500,000 rows/s, 12 s left"


def test_before_anything_is_done_nothing_is_divided_by_zero() -> None:
    progress = Progress("read", rows=0, done=0, of=3, seconds=0.0)
    assert progress.rows_per_second == 0
    assert progress.seconds_left == 0
