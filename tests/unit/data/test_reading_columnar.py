"""Parquet and Arrow: values are as JSON has them, and obey the rules of a line of JSON."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from sluice.errors import BatchError
from tests.unit.data.reading_files import limits, read

ROWS = [{"question": f"{i} 有帐篷吗？", "turns": [{"role": "user", "n": i}]} for i in range(1500)]


def parquet(table: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def arrow(table: Any, new: Any = ipc.new_file) -> bytes:
    file = io.BytesIO()
    with new(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)
    return file.getvalue()


def column(values: list[Any], kind: Any = None) -> bytes:
    return arrow(pa.table({"x": pa.array(values, kind)}))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", parquet(pa.Table.from_pylist(ROWS), row_group_size=400)),
        ("a.arrow", arrow(pa.Table.from_pylist(ROWS))),
        ("a.arrow", arrow(pa.Table.from_pylist(ROWS), ipc.new_stream)),
    ],
    ids=["parquet", "arrow file", "arrow stream"],
)
def test_rows_are_read_in_order_and_counted(name: str, content: bytes) -> None:
    found = read(content, name)
    assert found.values == ROWS
    assert [row.line for row in found.rows] == list(range(1, 1501))
    assert len({row.id for row in found.rows}) == 1500


@pytest.mark.parametrize(
    ("value", "kind", "plain"),
    [
        (
            datetime(2026, 1, 2, 3, tzinfo=UTC),
            pa.timestamp("us", "UTC"),
            "2026-01-02T03:00:00+00:00",
        ),
        (date(2026, 1, 2), pa.date32(), "2026-01-02"),
        (Decimal("12.50"), pa.decimal128(10, 2), "12.50"),
        ("有".encode(), pa.binary(), "有"),
        ([("a", "b")], pa.map_(pa.string(), pa.string()), {"a": "b"}),
        ([("a", None)], pa.map_(pa.string(), pa.int64()), {"a": None}),
        ({"a": [1.5, None]}, None, {"a": [1.5, None]}),
        (None, pa.string(), None),
        (True, None, True),
    ],
)
def test_values_become_what_json_has(value: Any, kind: Any, plain: Any) -> None:
    assert read(column([value], kind), "a.arrow").values == [{"x": plain}]


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        ("a\0b", None, "nul_character"),
        ([{"x": "a\0b"}], None, "nul_character"),
        (float("nan"), None, "not_finite"),
        ([float("inf")], None, "not_finite"),
        (b"\xff", pa.binary(), "bad_utf8"),
        (deep(32), None, "too_deep"),
        ([("a", "b"), ("a", "c")], pa.map_(pa.string(), pa.string()), "duplicate_key"),
        (2**62, pa.timestamp("us"), "unreadable_value"),
        ("x" * 1024 * 1024, None, "line_too_long"),
    ],
)
def test_a_value_that_breaks_a_rule_rejects_its_row_alone(
    value: Any, kind: Any, reason: str
) -> None:
    found = read(column([None, value, None], kind), "a.arrow")
    assert found.reasons == [(2, reason)]
    assert [row.line for row in found.rows] == [1, 3]


def test_a_text_that_is_no_utf8_rejects_its_row_alone() -> None:
    texts = pa.array([b"ok", b"\xff", "有".encode()], pa.binary()).view(pa.string())
    nested = pa.StructArray.from_arrays([texts], ["y"])
    for values in (texts, nested):
        found = read(arrow(pa.table({"x": values})), "a.arrow")
        assert found.reasons == [(2, "bad_utf8")]
        assert [row.line for row in found.rows] == [1, 3]


def test_a_reject_names_its_column_and_quotes_no_value() -> None:
    reject = read(column(["secret-4711\0"]), "a.arrow").rejects[0]
    assert "'x'" in reject.detail
    assert "4711" not in reject.detail


def test_offsets_that_do_not_fit_their_bytes_refuse_the_file_before_anything_is_read() -> None:
    offsets = (0).to_bytes(4, "little") + (77).to_bytes(4, "little")
    before, _, behind = column(["x" * 77]).rpartition(offsets)
    broken = before + offsets[:4] + (2**30).to_bytes(4, "little") + behind
    with pytest.raises(BatchError, match="is damaged"):
        read(broken, "a.arrow")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
@pytest.mark.parametrize("content", [b"no such thing", b"PAR1" * 9, b"ARROW1" * 9])
def test_what_is_no_such_file_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(BatchError, match="is damaged or no"):
        read(content, name)


def test_two_columns_of_one_name_refuse_the_file() -> None:
    twice = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])
    for name, content in (("a.arrow", arrow(twice)), ("a.parquet", parquet(twice))):
        with pytest.raises(BatchError, match="1 column names are there more than once: x"):
            read(content, name)


def test_a_small_file_that_unpacks_to_much_is_refused() -> None:
    table = pa.table({"x": ["x" * 1000] * 20_000})
    content = parquet(table)
    assert len(content) < 100_000
    with pytest.raises(BatchError, match="unpacks to more than 1000000 bytes"):
        read(content, "a.parquet", limits(max_decompressed_bytes=1_000_000))
