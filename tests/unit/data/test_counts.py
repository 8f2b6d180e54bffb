"""Counts of the parts of a step."""

from __future__ import annotations

from sluice.data.counts import added_up, most_first


def test_counts_of_parts_add_up_also_by_reason() -> None:
    counts = [{"rows": 2, "gone": {"b": 1}}, {"rows": 3, "gone": {"a": 1, "b": 2}}, {"rows": 0}]
    assert added_up(counts) == {"rows": 5, "gone": {"a": 1, "b": 3}}
    assert added_up([]) == {}


def test_people_read_the_most_rows_first() -> None:
    assert most_first({"b": 1, "a": 1, "c": 3}) == [("c", 3), ("a", 1), ("b", 1)]
