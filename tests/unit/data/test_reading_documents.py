"""One JSON document is cut into its elements; what is broken costs one element, not the file."""

from __future__ import annotations

import codecs
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sluice.data.reading.bytes_of as bytes_of
from sluice.data.strict_json import Fault, parse_object
from sluice.errors import BatchError
from tests.unit.data.reading_files import Found, alpaca, limits, read

ROWS = [json.loads(alpaca(f'"{i}" 有帐篷吗？', "\\ { [ , ] } \n")) for i in range(5)]


def read_json(content: bytes | str, max_bytes: int = 1024 * 1024) -> Found:
    content = content.encode() if isinstance(content, str) else content
    return read(content, "jan.json", limits(max_bytes))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_list_and_an_object_with_data_have_the_same_rows(indent: int | None, mark: bytes) -> None:
    documents = [ROWS, {"data": ROWS}, {"version": {"data": [1]}, "data": ROWS, "n": [{"x": "]"}]}]
    for document in documents:
        found = read_json(mark + json.dumps(document, indent=indent).encode())
        assert found.values == ROWS
        assert [row.line for row in found.rows] == [1, 2, 3, 4, 5]
        assert not found.rejects


def test_an_element_knows_the_byte_at_which_it_begins() -> None:
    content = '\n[ {"a": "有"} ,\n{"a": 2}]'.encode()
    assert [content[row.offset :][:4] for row in read_json(content).rows] == [b'{"a"', b'{"a"']


def test_json_lines_under_the_wrong_suffix_are_read_as_lines() -> None:
    found = read_json("\n".join(json.dumps(row) for row in ROWS) + "\n{\n")
    assert found.values == ROWS
    assert found.reasons == [(6, "not_json")]


@pytest.mark.parametrize("content", ["", "[]", " [ ] ", '{"data": []}', "\n"])
def test_a_document_may_hold_no_rows(content: str) -> None:
    found = read_json(content)
    assert (found.rows, found.rejects) == ([], [])


@pytest.mark.parametrize(
    ("content", "good", "reasons"),
    [
        ('[{"a":1} x, {"a":2}]', [2], [(1, "not_json")]),
        ('[{"a":1},, {"a":2}]', [1, 3], [(2, "not_json")]),
        ('[{"a":1}, ]', [1], [(2, "not_json")]),
        ('[{"a":1}, 7, "x", [1, 2], {"a":2}]', [1, 5], [(i, "not_an_object") for i in (2, 3, 4)]),
        ('[{"a":1], {"a":2}]', [2], [(1, "not_json")]),
        ('[{"a":1}}, {"a":2}]', [2], [(1, "not_json")]),
        ('[{"a":1,"a":1}, {"a":NaN}, {"a":2}]', [3], [(1, "duplicate_key"), (2, "not_finite")]),
        ('[{"a":1}, {"a":2', [1], [(2, "not_json"), (3, "not_json")]),
        ('[{"a":1}, {"a":2}', [1, 2], [(3, "not_json")]),
        ('[{"a":1}, {"a":"\\', [1], [(2, "not_json"), (3, "not_json")]),
        ('[{"a":1},', [1], [(2, "not_json")]),
        ("[", [], [(1, "not_json")]),
        ('[{"a":1}] [{"a":2}]', [1], [(2, "not_json")]),
        ('{"data": [{"a":1}] x', [1], [(2, "not_json")]),
        ('{"data": [{"a":1}], "n": 1', [1], [(2, "not_json")]),
        ('{"data": [{"a":1}]} {', [1], [(2, "not_json")]),
        ('{"data": [{"a":1}', [1], [(2, "not_json")]),
    ],
)
def test_what_is_broken_is_a_reject(
    content: str, good: list[int], reasons: list[tuple[int, str]]
) -> None:
    found = read_json(content)
    assert [row.line for row in found.rows] == good
    assert found.reasons == reasons


def test_an_element_that_is_too_long_is_passed_over() -> None:
    long = json.dumps({"a": 'x"]},\\' * 100})
    found = read_json(f'[{{"a":1}}, {long}, {{"a":2}}]', max_bytes=64)
    assert (found.values, found.reasons) == ([{"a": 1}, {"a": 2}], [(2, "line_too_long")])


def test_an_unclosed_quote_that_would_swallow_the_rest_refuses_the_file() -> None:
    with pytest.raises(BatchError, match=r"cannot be cut into rows from byte 9 on"):
        read_json('[{"a":1},{"a":"x},' + '{"a":2},' * 50 + "]", max_bytes=64)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('"text"', "neither a list nor an object"),
        ('{"version": 1, "rows": [1]}', "these keys: 'version', 'rows'"),
        ('{"data": {"a": 1}}', "these keys: 'data'"),
        ('{"data": [1], "data": [2]}', "'data' is written twice"),
        ("{", "these keys: none"),
        ("{]", "these keys: none"),
    ],
)
def test_a_document_without_a_list_of_rows_says_what_it_is(content: str, told: str) -> None:
    with pytest.raises(BatchError, match=told):
        read_json(content)


def test_a_file_in_utf16_is_refused_with_the_command_that_converts_it() -> None:
    for encoding, name in (("utf-16", "UTF-16"), ("utf-16-le", "UTF-16LE")):
        with pytest.raises(BatchError, match=f"iconv -f {name} -t UTF-8"):
            read_json(json.dumps(ROWS).encode(encoding))


scraps = st.sampled_from(
    [b"[", b"]", b"{", b"}", b",", b'"', b"\\", b":", b'{"a":1}', b'"data"', b" ", b"\n", b"\xff"]
)
elements = st.dictionaries(st.text(max_size=3), st.text(max_size=5) | st.lists(st.text(max_size=2)))


@settings(max_examples=100, deadline=None)
@given(st.lists(elements, max_size=6), st.integers(1, 30), st.sampled_from([None, 1]))
def test_however_a_document_is_read_its_elements_are_those_of_the_rule_book(
    rows: list[dict[str, object]], read_bytes: int, indent: int | None
) -> None:
    written = [json.dumps(row).encode() for row in rows]
    expected = [parse_object(line, 32) for line in written]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytes_of, "READ_BYTES", read_bytes)
        found = read_json(json.dumps({"n": 1, "data": rows}, indent=indent))
    assert found.values == [value for value in expected if not isinstance(value, Fault)]
    assert len(found.rows) + len(found.rejects) == len(rows)


@settings(max_examples=120, deadline=None)
@given(st.lists(scraps, max_size=25).map(b"".join), st.integers(1, 8))
def test_any_bytes_give_rows_rejects_or_a_refusal_however_they_are_read(
    content: bytes, read_bytes: int
) -> None:
    def outcome() -> object:
        try:
            return read_json(b"[" + content, max_bytes=64)
        except BatchError as error:
            return str(error).partition(":")[2]

    whole = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytes_of, "READ_BYTES", read_bytes)
        assert outcome() == whole
