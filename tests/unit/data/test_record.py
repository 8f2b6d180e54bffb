"""A row survives the way through Arrow and Parquet, whatever is in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.data import parts
from sluice.data.outcomes import Gone, gone_of, gone_table
from sluice.data.parts import count_rows, part_files, read_records, write_records
from sluice.data.record import Message, Record, content_id, records_of, table_of

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | texts
messages = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), texts, maybe),
    max_size=4,
).map(tuple)
records = st.lists(
    st.builds(
        Record,
        texts,
        messages,
        texts,
        st.integers(1, 2**40),
        st.dictionaries(texts, texts, max_size=3).map(lambda d: tuple(sorted(d.items()))),
        maybe,
        maybe,
        maybe,
    ),
    max_size=8,
)


@given(records)
def test_rows_survive_arrow(rows: list[Record]) -> None:
    assert records_of(table_of(rows)) == rows
    assert records_of(table_of(rows).slice(1)) == rows[1:]


@given(records)
def test_rows_that_left_survive_arrow(rows: list[Record]) -> None:
    gone = [Gone(row, "dropped", "answer_empty", f"{i}") for i, row in enumerate(rows)]
    assert gone_of(gone_table(gone)) == gone


@given(records)
def test_rows_survive_parts_of_any_size(rows: list[Record]) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART_ROWS", 3)
        folder = Path(name)
        assert write_records(folder, rows) == count_rows(folder) == len(rows)
        assert read_records(folder) == rows
        assert len(part_files(folder)) == max(1, -(-len(rows) // 3))


def test_equal_content_has_one_id_and_other_content_another() -> None:
    chat = (Message("user", "a"), Message("assistant", "b"))
    assert content_id(chat) == content_id(list(chat))
    others = [
        (Message("user", "ab"), Message("assistant", "")),
        (Message("system", "a"), Message("assistant", "b")),
        (Message("user", "a"), Message("assistant", "b", '{"name":"x"}')),
        (Message("user", "a\nassistant1:b"),),
        chat[:1],
    ]
    assert len({content_id(chat), *map(content_id, others), content_id(chat, "[]")}) == 7
