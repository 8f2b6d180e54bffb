"""The measures of rows, computed for all rows at once, are those that one row has."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import given, settings

from data_contracts.frame import NEVER_NULL, Outside, row_frame
from data_contracts.rows import Rows
from sluice.data.cleaning.characters import control_characters, visible_characters
from sluice.data.cleaning.html import has_html
from sluice.data.record import SCHEMA, Message, Record, table_of
from sluice.recipe.expectations import LATER_COLUMNS, ROW_COLUMNS

ODD = "\x00\x07\r\n\t \x0b\x1c\x7f\x85\xa0\xad\u034f\u061c\u115f\u1680\u180e\u2000\u200b\u200c"
ODD += "\u200d\u2028\u202e\u205f\u2060\u2800\u3000\u3164\ufe0f\ufeff\uffa0\U000e0041<b>&amp;。"
TEXT = st.text(
    st.one_of(st.sampled_from(ODD), st.characters(exclude_categories=["Cs"])), max_size=12
)
ROLE = st.sampled_from(["system", "user", "assistant", "tool"])
MESSAGES = st.lists(st.tuples(ROLE, st.none() | TEXT), max_size=4)
TAGS = st.dictionaries(st.sampled_from(["a", "b"]), TEXT, max_size=2)


def record(messages: list[Any], tags: dict[str, str], line: int) -> Record:
    spoken = tuple(Message(role, content) for role, content in messages)
    return Record(f"{line:016x}", spoken, "f.jsonl", line, tuple(sorted(tags.items())))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(MESSAGES, TAGS), max_size=6))
def test_the_frame_has_what_each_row_has(drawn: list[Any]) -> None:
    records = [record(messages, tags, i) for i, (messages, tags) in enumerate(drawn)]
    names = [*ROW_COLUMNS, "tag_a", "split"]
    frame = row_frame(
        Rows(table_of(records)),
        names,
        side="train",
        repeated=np.zeros(len(records), bool),
        outside=Outside(),
    )
    assert set(frame.columns) == set(names)
    for i, row in enumerate(records):
        found = {name: None if _is_null(value) else value for name, value in frame.iloc[i].items()}
        asked = [m.content for m in row.messages if m.role == "user"]
        question = asked[-1] if asked else None
        last = row.messages[-1] if row.messages else None
        answer = last.content if last is not None and last.role == "assistant" else None
        assert (found["question"], found["answer"]) == (question, answer)
        assert found["tag_a"] == row.tag("a")
        assert found["n_turns"] == len(row.messages)
        assert found["roles"] == ">".join(m.role for m in row.messages)
        assert found["characters"] == sum(len(m.content or "") for m in row.messages)
        assert found["null_messages"] == sum(m.content is None for m in row.messages)
        for name, text in (("question", question), ("answer", answer)):
            assert found[f"{name}_characters"] == _of(len, text)
            assert found[f"{name}_visible_characters"] == _of(visible_characters, text)
            assert found[f"{name}_control_characters"] == _of(control_characters, text)
            assert found[f"{name}_html"] == _of(has_html, text)
        assert not {name for name in NEVER_NULL & found.keys() if found[name] is None}


def test_a_slice_of_a_table_has_its_own_rows_only() -> None:
    records = [record([("user", f"q{i}"), ("assistant", f" a {i}")], {}, i) for i in range(9)]
    rows = Rows(table_of(records).slice(3, 4))
    assert rows.question.to_pylist() == ["q3", "q4", "q5", "q6"]
    assert rows.characters.tolist() == [6, 6, 6, 6]


def test_no_rows_have_a_frame_with_all_columns() -> None:
    frame = row_frame(
        Rows(SCHEMA.empty_table()),
        [*ROW_COLUMNS, "tag_x"],
        side="train",
        repeated=np.zeros(0, bool),
        outside=Outside(),
    )
    assert len(frame) == 0
    assert set(frame.columns) == {*ROW_COLUMNS, "tag_x"}


def test_later_columns_are_there_once_their_means_are() -> None:
    asked = record([("user", "Same  Question"), ("assistant", "a")], {}, 1)
    frame = row_frame(
        Rows(table_of([asked])),
        list(LATER_COLUMNS),
        side="train",
        repeated=np.zeros(1, bool),
        outside=Outside(frozenset({"same question"}), lambda rows: [7] * len(rows)),
    )
    assert frame.iloc[0].to_dict() == {"split": "train", "tokens": 7, "question_in_evaluation": 1}


def _of(measure: Any, text: str | None) -> int | None:
    return None if text is None else int(measure(text))


def _is_null(value: object) -> bool:
    return value is None or value != value
