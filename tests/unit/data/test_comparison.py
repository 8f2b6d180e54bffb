"""The state of a comparison: numbers of rows, which of them are left, and why others went."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.data.comparison import (
    DECISION_SCHEMA,
    Comparison,
    alive_rows,
    apart,
    decided_for,
    decisions,
)
from sluice.data.compute import ThisProcess
from sluice.data.grouping import write_table
from sluice.data.outcomes import gone_of
from sluice.data.parts import Part, part_name, parts_of, write_part
from sluice.data.record import records_of, table_of
from tests.unit.data.rows import row


def written(folder: Path, *sizes: int) -> list[Part]:
    """Parts of so many rows; each row's line is its number among all."""
    start = 0
    for number, size in enumerate(sizes):
        rows = [row(f"q{i}?", f"a{i}.", line=i) for i in range(start, start + size)]
        write_part(folder / part_name(number), table_of(rows))
        start += size
    return parts_of([folder])


def decided(folder: Path, name: str, rows: list[int]) -> Path:
    table = decisions(np.array(rows, np.int64), "dropped", [name] * len(rows), ["x"] * len(rows))
    return write_table(folder / f"{name}.arrow", table)


def test_parts_of_several_folders_are_numbered_through(tmp_path: Path) -> None:
    written(tmp_path / "a", 3, 0)
    written(tmp_path / "b", 2)
    parts = parts_of([tmp_path / "b", tmp_path / "a", tmp_path / "none"])
    assert [(p.number, p.start, p.rows, p.path.parent.name) for p in parts] == [
        (0, 0, 2, "b"),
        (1, 2, 3, "a"),
        (2, 5, 0, "a"),
    ]


def test_struck_rows_are_gone_for_every_later_step(tmp_path: Path) -> None:
    parts = written(tmp_path / "parts", 3, 2, 4)
    comparison = Comparison(ThisProcess(), tmp_path, parts)
    assert comparison.rows == 9
    comparison.strike([decided(tmp_path, "one", [1, 4]), decided(tmp_path, "two", [])])
    comparison.strike([decided(tmp_path, "three", [8])])
    alive = [alive_rows(comparison.alive.path, part).tolist() for part in parts]
    assert alive == [[True, False, True], [True, False], [True, True, True, False]]
    reasons = decided_for(parts[2], comparison.decided).column("reason").to_pylist()
    assert reasons == ["three"]


def test_decisions_are_sorted_by_row() -> None:
    table = decisions(np.array([5, 1]), "quarantined", ["a", "b"], ["x", "y"])
    assert table.schema == DECISION_SCHEMA
    assert table.column("row").to_pylist() == [1, 5]
    assert table.column("reason").to_pylist() == ["b", "a"]


def test_no_rows_at_all_are_no_trouble(tmp_path: Path) -> None:
    comparison = Comparison(ThisProcess(), tmp_path, written(tmp_path / "parts", 0, 0))
    comparison.strike([decided(tmp_path, "none", [])])
    assert comparison.rows == 0
    assert alive_rows(comparison.alive.path, comparison.parts[1]).tolist() == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts")


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.data())
def test_each_row_stays_or_goes_once_and_in_order(
    folder: Path, sizes: list[int], data: st.DataObject
) -> None:
    for path in folder.glob("*.parquet"):
        path.unlink()
    parts = written(folder, *sizes)
    numbers = range(sum(sizes))
    gone = data.draw(st.lists(st.sampled_from(numbers), unique=True) if numbers else st.just([]))
    half = len(gone) // 2
    files = [decided(folder, "one", gone[:half]), decided(folder, "two", gone[half:])]
    stayed: list[int] = []
    left: dict[int, Any] = {}
    for part in parts:
        table = table_of([row(f"q{i}?", f"a{i}.", line=i)
                          for i in range(part.start, part.start + part.rows)])  # fmt: skip
        kept, away = apart(table, part, decided_for(part, files))
        stayed += [record.line for record in records_of(kept)]
        left |= {one.record.line: one.reason for one in gone_of(away)}
    assert stayed == [i for i in numbers if i not in gone]
    assert left == dict.fromkeys(gone[:half], "one") | dict.fromkeys(gone[half:], "two")
