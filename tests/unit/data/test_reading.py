"""JSON Lines: every line that is not blank is a row or a reject, however the file is divided."""

from __future__ import annotations

import codecs
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sluice.data.reading.bytes_of as bytes_of
import sluice.data.reading.sharding as sharding
from sluice.data.outcomes import Reject
from sluice.data.reading import (
    Place,
    RawRow,
    Shard,
    describe_rejects,
    read_shard,
    shards,
)
from sluice.errors import BatchError
from tests.unit.data.reading_files import LIMITS, alpaca, limits, read, read_uri

GOOD = alpaca("Do you sell tents?", "Yes.").encode()
MAX = LIMITS.max_line_bytes


def reason_of(line: bytes) -> str:
    found = read(GOOD + b"\n" + line + b"\n")
    assert len(found.rows) == 1
    assert [reject.line for reject in found.rejects] == [2]
    return found.rejects[0].reason


def test_a_row_keeps_its_line_offset_id_and_texts() -> None:
    line = alpaca("有帐篷吗？", "有，五种尺寸。", intent="库存").encode()
    row = read(b"\n".join([GOOD, b"", line])).rows[1]
    assert (row.line, row.offset) == (3, len(GOOD) + 2)
    assert row.id == hashlib.sha256(line).hexdigest()[:16]
    assert row.values == json.loads(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"instruction": "a", "output": "b', "not_json"),
        (b'["a", "b"]', "not_an_object"),
        (b'{"output": "b", "output": "c"}', "duplicate_key"),
        (b'{"x": NaN}', "not_finite"),
        (b'{"x": "\xff"}', "bad_utf8"),
        (b'{"x": "\\ud800"}', "lone_surrogate"),
        (b'{"x": "b\x00"}', "nul_character"),
        (codecs.BOM_UTF8 + GOOD, "byte_order_mark"),
        (b"[" * 50_000, "too_deep"),
        (b'"' + b"x" * MAX + b'"', "line_too_long"),
    ],
)
def test_each_fault_has_one_reason(line: bytes, reason: str) -> None:
    assert reason_of(line) == reason


def test_a_line_as_long_as_allowed_is_read_and_one_byte_more_is_not() -> None:
    line = b'{"a":"' + b"x" * 56 + b'"}'
    assert len(line) == 64
    for content in (line, line + b"\n", line + b"\n" + GOOD[:40]):
        assert len(read(content, within=limits(64)).rows) == 1
        assert read(content, within=limits(63)).reasons[0] == (1, "line_too_long")


def test_a_byte_order_mark_at_the_start_of_the_file_is_skipped() -> None:
    assert read(codecs.BOM_UTF8 + GOOD).values == [json.loads(GOOD)]


def test_a_reject_has_the_byte_offset_of_its_line_and_quotes_no_content() -> None:
    long = b'"' + b"x" * (2 * MAX) + b'"\r\n'
    first, second = read(GOOD + b"\r\n\r\n" + long + b'{"secret-4711').rejects
    assert (first.line, first.byte_offset) == (3, len(GOOD) + 4)
    assert (second.line, second.byte_offset) == (4, len(GOOD) + 4 + len(long))
    assert second.source == "jan.jsonl"
    assert "4711" not in second.detail


def test_the_same_row_has_one_id_whatever_ends_its_line() -> None:
    assert read(GOOD + b"\r\n").rows[0].id == read(codecs.BOM_UTF8 + GOOD).rows[0].id


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", codecs.BOM_UTF8, b"\r\n\x0c\n"])
def test_blank_lines_are_neither_rows_nor_rejects(content: bytes) -> None:
    found = read(content)
    assert (found.rows, found.rejects) == ([], [])


def test_many_unreadable_lines_are_described_with_a_way_to_convert_them() -> None:
    found = read("问题".encode("gb18030") + b"\n" + b"{\n")
    told = describe_rejects(found.rejects)
    assert "jan.jsonl:1 bad_utf8" in told
    assert "jan.jsonl:2 not_json" in told
    assert "iconv -f GB18030 -t UTF-8" in told


def test_a_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "gone.jsonl"), "gone", "jsonl")
    with pytest.raises(BatchError, match=r"gone\.jsonl"):
        shards(place, LIMITS)
    with pytest.raises(BatchError, match=r"gone\.jsonl"):
        list(read_shard(Shard(place), LIMITS))


def test_a_file_that_shrank_since_it_was_divided_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "jan.jsonl"
    path.write_bytes(GOOD)
    with pytest.raises(BatchError, match="became shorter"):
        list(read_shard(Shard(Place(str(path), "jan", "jsonl"), 0, 5000), LIMITS))


# ---- any bytes at all

FRAGMENTS = [GOOD, b"\n", b"\r", b'{"', b"[[", b'"', b"\\", b"\x00", b"\xff", codecs.BOM_UTF8]
fragments = st.sampled_from([*FRAGMENTS, b"NaN", b" ", b"x" * 70, b'{"a":1}\n'])
contents = st.lists(fragments | st.binary(max_size=12), max_size=20).map(b"".join)


@settings(max_examples=150, deadline=None)
@given(contents, st.sampled_from([64, MAX]))
def test_any_bytes_become_rows_and_rejects_that_add_up(content: bytes, max_bytes: int) -> None:
    lines = content.split(b"\n")
    lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
    expected = [i for i, line in enumerate(lines, 1) if line.strip() or len(line) > max_bytes]
    found = read(content, within=limits(max_bytes))
    assert sorted([r.line for r in found.rows] + [r.line for r in found.rejects]) == expected


@settings(max_examples=150, deadline=None)
@given(contents, st.integers(1, 120), st.integers(1, 90), st.sampled_from([64, MAX]))
def test_the_parts_of_a_file_give_what_the_whole_gives(
    content: bytes, shard_bytes: int, read_bytes: int, max_bytes: int
) -> None:
    whole = read(content, within=limits(max_bytes))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharding, "SHARD_BYTES", shard_bytes)
        patch.setattr(bytes_of, "READ_BYTES", read_bytes)
        assert read(content, within=limits(max_bytes)) == whole


def test_a_large_file_is_cut_at_line_ends_and_knows_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharding, "SHARD_BYTES", 1000)
    path = tmp_path / "jan.jsonl"
    path.write_bytes(b"\n".join([GOOD] * 100))
    parts = shards(Place(str(path), "jan", "jsonl"), LIMITS)
    assert len(parts) > 5
    assert [part.start for part in parts[1:]] == [part.end for part in parts[:-1]]
    firsts = [next(iter(read_shard(part, LIMITS))) for part in parts]
    assert [row.line for row in firsts] == [part.line for part in parts]
    assert all(isinstance(row, RawRow) and not isinstance(row, Reject) for row in firsts)
    assert [row.line for row in read_uri(str(path)).rows] == list(range(1, 101))
