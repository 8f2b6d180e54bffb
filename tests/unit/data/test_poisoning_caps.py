"""Caps: shares of what remains, an even and stable choice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.data.poisoning import allowed, cap_detail, is_reachable, over_cap

counts_of_values = st.dictionaries(st.text(max_size=3), st.integers(1, 10_000), max_size=9)
shares = st.floats(0.01, 1.0)


@given(counts_of_values, shares, st.integers(0, 1000))
def test_no_value_has_more_than_its_share_of_what_remains(
    counts: dict[str, int], share: float, others: int
) -> None:
    kept = allowed(counts, share, others)
    assert kept.keys() == counts.keys()
    assert all(kept[value] <= counts[value] for value in counts)
    if is_reachable(counts, share, others):
        total = others + sum(kept.values())
        assert all(number <= share * total + 1e-6 for number in kept.values())
    else:
        assert kept == counts


@given(counts_of_values, shares, st.integers(0, 1000))
def test_no_row_more_could_stay(counts: dict[str, int], share: float, others: int) -> None:
    kept = allowed(counts, share, others)
    cut = [value for value in counts if kept[value] < counts[value]]
    if cut:
        cap = kept[cut[0]] + 1
        total = others + sum(min(count, cap) for count in counts.values())
        assert cap > share * total


@given(counts_of_values, st.integers(0, 1000))
def test_a_share_of_one_takes_nothing_away(counts: dict[str, int], others: int) -> None:
    assert allowed(counts, 1.0, others) == counts


@pytest.mark.parametrize(
    ("counts", "share", "kept"),
    [
        ({"a": 900, "b": 100}, 0.5, {"a": 100, "b": 100}),
        ({"a": 900, "b": 100, "c": 100}, 0.5, {"a": 200, "b": 100, "c": 100}),
        ({"a": 1, "b": 1, "c": 1, "d": 1, "e": 9}, 0.2, dict.fromkeys("abcde", 1)),
        ({"alone": 900}, 0.5, {"alone": 900}),
        ({"a": 900, "b": 100}, 0.3, {"a": 900, "b": 100}),
        ({}, 0.3, {}),
    ],
)
def test_the_total_shrinks_with_what_leaves(
    counts: dict[str, int], share: float, kept: dict[str, int]
) -> None:
    assert allowed(counts, share) == kept


def test_rows_without_a_contributor_count_but_never_leave() -> None:
    assert allowed({"ann": 500}, 0.2, others=400) == {"ann": 100}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=4)), max_size=60), st.data())
def test_as_many_stay_as_are_allowed_and_the_order_does_not_matter(
    rows: list[tuple[str, str]], data: st.DataObject
) -> None:
    rows = list(dict.fromkeys(rows))
    limits = {value: data.draw(st.integers(0, 30)) for value in "abc"}

    def stay(rows: list[tuple[str, str]]) -> set[tuple[str, str]]:
        leave = over_cap([v for v, _ in rows], [i for _, i in rows], limits)
        return {row for row, left in zip(rows, leave, strict=True) if not left}

    kept = stay(rows)
    assert stay(rows[::-1]) == kept
    for value in "abc":
        count = sum(v == value for v, _ in rows)
        assert sum(v == value for v, _ in kept) == min(count, limits[value])


def test_a_new_row_pushes_out_at_most_one() -> None:
    ids = [f"{i:016x}" for i in range(200)]
    before = over_cap(["a"] * 199, ids[:199], {"a": 50})
    after = over_cap(["a"] * 200, ids, {"a": 50})
    assert np.count_nonzero(before != after[:199]) <= 1


def test_the_detail_counts_and_names_nobody() -> None:
    assert cap_detail(900, 20, 0.2, "contributor") == (
        "kept 20 of 900 rows: at most 0.2 of the rows from one contributor"
    )
