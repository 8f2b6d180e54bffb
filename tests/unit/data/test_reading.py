"""Reading: every line that is not blank is a record or a reject, and nothing crashes."""

from __future__ import annotations

import codecs
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.reading import MAX_LINE_BYTES, Batch, read_alpaca
from sluice.errors import BatchError
from tests.unit.data.rows import alpaca

GOOD = alpaca("Do you sell tents?", "Yes.").encode()


def read(content: bytes) -> Batch:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jan.jsonl"
        path.write_bytes(content)
        return read_alpaca(path)


def reason_of(line: bytes) -> str:
    batch = read(GOOD + b"\n" + line + b"\n")
    assert batch.lines == 2
    assert [reject.line for reject in batch.rejects] == [2]
    return batch.rejects[0].reason


def test_a_row_keeps_its_file_line_intent_and_texts() -> None:
    lines = [GOOD, b"", alpaca("有帐篷吗？", "有，五种尺寸。", intent="库存").encode()]
    record = read(b"\n".join(lines)).records[1]
    assert (record.source, record.line, record.intent) == ("jan.jsonl", 3, "库存")
    assert (record.question, record.answer) == ("有帐篷吗？", "有，五种尺寸。")


@pytest.mark.parametrize(
    ("context", "question"),
    [("Order 17", "Where is it?\nOrder 17"), ("  ", "Where is it?"), (None, "Where is it?")],
)
def test_the_input_joins_the_question_where_it_is_not_blank(
    context: str | None, question: str
) -> None:
    line = {"instruction": "Where is it?", "input": context, "output": "On its way.", "x": 1}
    assert read(json.dumps(line).encode()).records[0].question == question


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"instruction": "a", "output": "b', "not_json"),
        (b'{"instruction": "a", "output": ' + b"9" * 5000 + b"}", "not_json"),
        (b'["a", "b"]', "not_an_object"),
        (b'{"instruction": "a"}', "missing_output"),
        (b'{"instruction": "a", "output": null}', "missing_output"),
        (b'{"output": "a"}', "missing_instruction"),
        (b'{"instruction": "a", "output": 7}', "wrong_type"),
        (b'{"instruction": "a", "input": ["b"], "output": "c"}', "wrong_type"),
        (b'{"instruction": "a", "output": "b", "intent": true}', "wrong_type"),
        (b'{"instruction": "a", "output": "b", "output": "c"}', "duplicate_key"),
        (b'{"instruction": "a", "output": "b", "x": {"y": 1, "y": 2}}', "duplicate_key"),
        (b'{"instruction": "a", "output": "b", "x": NaN}', "not_finite"),
        (b'{"instruction": "a", "output": "b", "x": -Infinity}', "not_finite"),
        (b'{"instruction": "a", "output": "b", "x": 1e999}', "not_finite"),
        (b'{"instruction": "a", "output": "\xff"}', "bad_utf8"),
        (b'{"instruction": "a", "output": "\xed\xa0\x80"}', "bad_utf8"),
        (b'{"instruction": "a", "output": "\\ud800"}', "lone_surrogate"),
        (b'{"instruction": "a", "output": "b", "\\udfff": 1}', "lone_surrogate"),
        (b'{"instruction": "a", "output": "b\\u0000"}', "nul_character"),
        (b'{"instruction": "a", "output": "b\x00"}', "nul_character"),
        (codecs.BOM_UTF8 + GOOD, "byte_order_mark"),
        (b"[" * 50_000, "too_deep"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "too_deep"),
        (b'"' + b"x" * MAX_LINE_BYTES + b'"', "line_too_long"),
    ],
)
def test_each_fault_has_one_reason(line: bytes, reason: str) -> None:
    assert reason_of(line) == reason


def test_brackets_inside_text_are_not_nesting() -> None:
    assert len(read(alpaca("[" * 500, '\\"{' * 500).encode()).records) == 1


def test_a_byte_order_mark_at_the_start_of_the_file_is_skipped() -> None:
    assert read(codecs.BOM_UTF8 + GOOD).records[0].question == "Do you sell tents?"


def test_an_emoji_written_as_a_surrogate_pair_is_text() -> None:
    line = b'{"instruction": "a", "output": "\\ud83d\\ude00"}'
    assert read(line).records[0].answer == "\U0001f600"


def test_an_empty_output_is_a_record_because_dropping_it_is_cleaning() -> None:
    assert read(alpaca("Do you sell tents?", "").encode()).records[0].answer == ""


def test_a_reject_has_the_byte_offset_of_its_line_and_quotes_no_content() -> None:
    long = b'"' + b"x" * (2 * MAX_LINE_BYTES) + b'"\r\n'
    first, second = read(GOOD + b"\r\n\r\n" + long + b'{"secret-4711').rejects
    assert (first.line, first.byte_offset) == (3, len(GOOD) + 4)
    assert (second.line, second.byte_offset) == (4, len(GOOD) + 4 + len(long))
    assert "4711" not in second.detail


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", codecs.BOM_UTF8])
def test_a_file_without_rows_is_an_error(content: bytes) -> None:
    with pytest.raises(BatchError, match="holds no rows"):
        read(content)


def test_a_missing_file_and_a_folder_are_errors_with_their_path(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.jsonl", tmp_path):
        with pytest.raises(BatchError, match=path.name):
            read_alpaca(path)


fragments = st.sampled_from(
    [GOOD, b"\n", b"\r", b'{"', b"[[", b'"', b"\\", b"\x00", b"\xff", codecs.BOM_UTF8, b"NaN", b" "]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(fragments | st.binary(max_size=12), max_size=20).map(b"".join))
def test_any_bytes_become_records_and_rejects_that_add_up(content: bytes) -> None:
    expected = [line for line in content.removeprefix(codecs.BOM_UTF8).split(b"\n") if line.strip()]
    try:
        batch = read(content)
    except BatchError:
        assert expected == []
        return
    assert batch.lines == len(batch.records) + len(batch.rejects) == len(expected)
    places = [r.line for r in batch.records] + [r.line for r in batch.rejects]
    assert len(set(places)) == len(expected)
