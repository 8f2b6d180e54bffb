"""Rows of equal keys come together, in order, whoever does the work."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.data import compute
from sluice.data.compute import ThisMachine, ThisProcess
from sluice.data.grouping import Grouping, buckets_for, group_by_key, read_table


def table_of_keys(keys: list[list[int]], part: int) -> Any:
    """The rows of one part: a key each, and a number that tells part and place."""
    own = keys[part]
    places = [part * 1000 + i for i in range(len(own))]
    return pa.table({"key": pa.array(own, pa.uint64()), "place": pa.array(places, pa.int64())})


def places_by_key(table: Any) -> Any:
    """For each key the places of its rows, in the order in which they came."""
    found: dict[int, list[int]] = {}
    for key, place in zip(*(table.column(n).to_pylist() for n in ("key", "place")), strict=True):
        found.setdefault(key, []).append(place)
    return pa.table(
        {
            "key": pa.array(sorted(found), pa.uint64()),
            "places": pa.array([found[k] for k in sorted(found)], pa.list_(pa.int64())),
        }
    )


def grouped(engine: Any, folder: Path, keys: list[list[int]], buckets: int) -> dict[int, list[int]]:
    files = group_by_key(
        engine,
        Grouping(folder, buckets),
        range(len(keys)),
        partial(table_of_keys, keys),
        places_by_key,
    )
    rows = [row for file in files for row in read_table(file).to_pylist()]
    assert len({row["key"] for row in rows}) == len(rows), "a key was decided in two places"
    return {row["key"]: row["places"] for row in rows}


parts_of_keys = st.lists(
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5), max_size=20), min_size=1, max_size=5
)


@given(parts_of_keys, st.integers(1, 4))
def test_each_key_is_decided_once_with_all_its_rows_in_order(
    keys: list[list[int]], buckets: int
) -> None:
    expected: dict[int, list[int]] = {}
    for part, own in enumerate(keys):
        for i, key in enumerate(own):
            expected.setdefault(key, []).append(part * 1000 + i)
    with tempfile.TemporaryDirectory() as folder:
        assert grouped(ThisProcess(), Path(folder), keys, buckets) == expected


def test_processes_write_the_bytes_that_one_process_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute, "INLINE_SECONDS", -1)
    random = np.random.default_rng(1)
    keys = [random.integers(0, 40, 100).tolist() for _ in range(4)]
    one = grouped(ThisProcess(), tmp_path / "one", keys, 3)
    assert grouped(ThisMachine(2), tmp_path / "two", keys, 3) == one
    for path in (tmp_path / "one").rglob("*.arrow"):
        twin = tmp_path / "two" / path.relative_to(tmp_path / "one")
        assert path.read_bytes() == twin.read_bytes()


def test_the_number_of_buckets_depends_on_the_rows_alone() -> None:
    assert [buckets_for(n, 10) for n in (0, 1, 10, 11, 100)] == [1, 1, 1, 2, 10]
