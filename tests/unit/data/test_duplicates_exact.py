"""Exact duplicates: one of each text stays, and the others name it."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.duplicates.pairs import Keep
from sluice.data.record import Message, Record
from sluice.data.similarity import folded
from tests.unit.data.comparing import asked, conversation, exact


def test_texts_that_differ_in_case_and_spacing_are_equal() -> None:
    rows = asked(("Do you sell tents?", "Yes."), ("do you  sell\nTENTS?", "yes. "), ("Hm?", "Yes."))
    assert exact(rows) == {1: ("exact_duplicate", "jan.jsonl:1")}


@pytest.mark.parametrize(("keep", "stays"), [("first", 0), ("last", 3), ("longest", 0)])
def test_the_policy_says_which_of_equal_rows_stays(keep: Keep, stays: int) -> None:
    # Folded texts are compared, so equal rows are equally long and the longest is the first.
    rows = asked(("a", "Straße"), ("A", "strasse"), ("c", "d"), ("a", "STRASSE"))
    gone = {0, 1, 3} - {stays}
    expected = ("exact_duplicate", f"jan.jsonl:{stays + 1}")
    assert exact(rows, keep) == dict.fromkeys(gone, expected)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((("user", "a"), ("assistant", "b")), (("system", "a"), ("assistant", "b"))),
        ((("user", "a"), ("assistant", "b")), (("user", "ab"), ("assistant", ""))),
        (
            (("user", "a"), ("assistant", "b")),
            (("user", "a"), ("assistant", "b"), ("user", "a"), ("assistant", "b")),
        ),
        ((("user", "你好"), ("assistant", "好")), (("user", "你好"), ("assistant", "您好"))),
    ],
)
def test_other_roles_and_other_turns_are_another_conversation(
    one: tuple[tuple[str, str], ...], other: tuple[tuple[str, str], ...]
) -> None:
    assert exact([conversation(*one), conversation(*other, line=2)]) == {}


def test_rows_without_any_message_are_equal() -> None:
    rows = [Record("id", (), "jan.jsonl", line) for line in (1, 2)]
    assert exact(rows, parts=1) == {1: ("exact_duplicate", "jan.jsonl:1")}


def test_tool_calls_and_tools_are_part_of_the_text() -> None:
    def called(more: str | None, tools: str | None, line: int) -> Record:
        messages = (Message("user", "a"), Message("assistant", "b", more))
        return Record("id", messages, "jan.jsonl", line, tools=tools)

    rows = [called(None, None, 1), called("x", None, 2), called(None, "x", 3), called("x", None, 4)]
    assert exact(rows) == {3: ("exact_duplicate", "jan.jsonl:2")}


small = st.text(st.sampled_from("aAbß é你\n"), max_size=3)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(small, small), max_size=12), st.sampled_from(["first", "last"]))
def test_exactly_one_row_of_each_text_stays(pairs: list[tuple[str, str]], keep: Keep) -> None:
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for number, (question, answer) in enumerate(pairs):
        groups[folded(question), folded(answer)].append(number)
    expected = {
        row: ("exact_duplicate", f"jan.jsonl:{stays + 1}")
        for rows in groups.values()
        for stays in [rows[0] if keep == "first" else rows[-1]]
        for row in rows
        if row != stays
    }
    assert exact(asked(*pairs), keep) == expected
