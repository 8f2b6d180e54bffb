"""CSV and TSV: strict quotes, a header that names each column, and no row guessed at."""

from __future__ import annotations

import codecs
import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sluice.data.reading.bytes_of as bytes_of
from sluice.errors import BatchError
from tests.unit.data.reading_files import Found, limits, read

HEADER = "question,answer\n"


def read_csv(content: bytes | str, max_bytes: int = 1024 * 1024) -> Found:
    content = content.encode() if isinstance(content, str) else content
    return read(content, "jan.csv", limits(max_bytes))


def test_cells_have_the_names_of_the_header_and_are_texts() -> None:
    found = read_csv(HEADER + '有帐篷吗？,"有, ""五""种\n尺寸"\r\n\n1,\n')
    assert found.values == [
        {"question": "有帐篷吗？", "answer": '有, "五"种\n尺寸'},
        {"question": "1", "answer": ""},
    ]
    assert [row.line for row in found.rows] == [2, 5]
    assert not found.rejects


def test_a_row_has_the_byte_offset_at_which_it_starts() -> None:
    content = codecs.BOM_UTF8 + (HEADER + 'a,"b\nc"\nd,e\n').encode()
    assert [content[row.offset :][:1] for row in read_csv(content).rows] == [b"a", b"d"]


def test_tabs_cut_a_tsv_and_a_row_of_empty_cells_is_a_row() -> None:
    found = read(b'a\tb\n1,2\t"x\ty"\n\t\n', "jan.tsv")
    assert found.values == [{"a": "1,2", "b": "x\ty"}, {"a": "", "b": ""}]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"a", "wrong_column_count"),
        (b"a,b,c", "wrong_column_count"),
        (b'5" pipe,b', "bad_quoting"),
        (b'a, "b"', "bad_quoting"),
        (b'"a"x,b', "bad_quoting"),
        (b'"a\nb"x,b', "bad_quoting"),
        (b"a,\xff", "bad_utf8"),
        (b"a,b\0", "nul_character"),
        (b"a," + b"b" * 200, "line_too_long"),
        (b'a,"' + b"b\n" * 100 + b'"', "line_too_long"),
        (b'a,"' + b"b" * 200 + b'\nc"', "line_too_long"),
    ],
)
def test_a_row_that_breaks_a_rule_is_rejected_and_the_next_is_read(row: bytes, reason: str) -> None:
    found = read_csv(HEADER.encode() + row + b"\nc,d\n", max_bytes=100)
    assert found.reasons == [(2, reason)]
    assert found.values == [{"question": "c", "answer": "d"}]
    assert found.rows[0].line == 3 + row.count(b"\n")


def test_a_quote_left_open_at_the_end_is_a_reject_unless_it_swallows_many_rows() -> None:
    found = read_csv(HEADER + 'a,b\n"c,d\ne,f\n')
    assert (len(found.rows), found.reasons) == (1, [(3, "bad_quoting")])
    with pytest.raises(BatchError, match="opened in the row on line 3 is not closed"):
        read_csv(HEADER + 'a,b\n"c,d\n' + "e,f\n" * 50, max_bytes=64)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b,a\n1,2,3\n", "1 names are more than once in its header: a"),
        ("a,,c\n1,2,3\n", "1 of 3 columns have no name, the first of them column 2"),
        ('a,"b\n', "header cannot be read: bad_quoting"),
        ("a;b\n1;2\n", "one column, 'a;b'. It seems to be cut by ';'"),
        ("a,b\r1,2\r", "carriage return alone"),
    ],
)
def test_a_header_that_names_no_columns_refuses_the_file(content: str, told: str) -> None:
    with pytest.raises(BatchError, match=told):
        read_csv(content)


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("gb18030", "GB18030"), ("utf-16", "UTF-16"), ("utf-16-be", "UTF-16BE"), ("cp1252", "CP1252")],
)
def test_a_file_in_another_encoding_is_refused_with_the_command_that_converts_it(
    encoding: str, name: str
) -> None:
    latin = encoding == "cp1252"
    row = "é où, ça \n" if latin else "有帐篷吗？,有，五种尺寸。\n"
    with pytest.raises(BatchError, match=f"iconv -f {name} -t UTF-8"):
        read_csv((HEADER + row * 20).encode(encoding))


def test_one_bad_byte_in_a_plain_file_is_one_reject() -> None:
    found = read_csv(HEADER.encode() + b"a,b\n" * 20 + b"a,\xe9\n" + b"a,b\n" * 20)
    assert (len(found.rows), found.reasons) == (40, [(22, "bad_utf8")])


cells = st.text(st.sampled_from('ab",\t \n有\U0001f600;'), max_size=5)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(cells, cells, cells), max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from([",", "\t"]),
    st.integers(1, 40),
)
def test_what_the_standard_library_writes_is_read_back(
    rows: list[tuple[str, ...]], ends: str, quoting: int, delimiter: str, read_bytes: int
) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=ends, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([("a", "b", "c"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytes_of, "READ_BYTES", read_bytes)
        found = read(file.getvalue().encode(), "jan.csv" if delimiter == "," else "jan.tsv")
    assert [tuple(row.values()) for row in found.values] == rows
    assert not found.rejects


scraps = st.sampled_from([b'"', b'""', b",", b"\n", b"\r", b"a", b"\xff", b"\0", b"b" * 70, b'",'])


@settings(max_examples=120, deadline=None)
@given(st.lists(scraps, max_size=25).map(b"".join), st.integers(1, 8))
def test_any_bytes_give_rows_rejects_or_a_refusal_however_they_are_read(
    content: bytes, read_bytes: int
) -> None:
    def outcome() -> object:
        try:
            return read_csv(b"a,b\n" * 4 + content, max_bytes=64)
        except BatchError as error:
            return str(error).partition(":")[2]

    whole = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytes_of, "READ_BYTES", max(read_bytes, 4))
        assert outcome() == whole


def test_the_row_numbers_that_pandas_writes_are_a_column_without_a_name() -> None:
    found = read_csv(",question,answer\n0,Tents?,Yes.\n")
    assert found.values == [{"unnamed": "0", "question": "Tents?", "answer": "Yes."}]
