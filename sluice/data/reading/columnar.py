"""Parquet and Arrow files: rows a few hundred at a time, their cells held to the rules of text."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.ipc  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.outcomes import Reject
from sluice.data.reading.bytes_of import seekable
from sluice.data.reading.places import Place
from sluice.data.reading.rows import Limits, RawRow, bytes_id, rejected
from sluice.data.reading.values import row_of
from sluice.data.strict_json import Fault
from sluice.errors import BatchError

BATCH_ROWS = 512  # bounds memory: of rows as long as allowed, so many are held
ARROW_FILE = b"ARROW1"  # how an Arrow file begins; an Arrow stream does not

pa: Any = pyarrow  # not typed
ipc: Any = pyarrow.ipc
pq: Any = pyarrow.parquet


def read_parquet(place: Place, limits: Limits) -> Iterator[RawRow | Reject]:
    """The rows of a Parquet file. `line` counts rows.

    Raises:
        BatchError: it is no Parquet, is damaged, or unpacks to too much.
    """
    with seekable(place, limits) as file:
        yield from read_batches(_parquet_batches(file, place, limits), place, limits)


def read_arrow(place: Place, limits: Limits) -> Iterator[RawRow | Reject]:
    """The rows of an Arrow IPC file or stream. `line` counts rows.

    Raises:
        BatchError: it is no Arrow, is damaged, or unpacks to too much.
    """
    with seekable(place, limits) as file:
        yield from read_batches(_arrow_batches(file, place), place, limits)


def read_batches(batches: Iterable[Any], place: Place, limits: Limits) -> Iterator[RawRow | Reject]:
    """The rows of record batches that nobody has checked.

    Raises:
        BatchError: two columns have one name, the bytes are not what the columns say, or the
            batches are larger together than a file may unpack to.
    """
    number, size = 0, 0
    for batch in batches:
        is_text = _check(batch, place)
        size += batch.nbytes
        if size > limits.max_decompressed_bytes:
            raise BatchError(_too_large(place, limits))
        for start in range(0, batch.num_rows, BATCH_ROWS):
            for cells in _rows(batch.slice(start, BATCH_ROWS), is_text):
                number += 1
                if isinstance(cells, Fault):
                    id = bytes_id(f"{place.name}:{number}".encode())
                    yield rejected(cells, place.name, number, -1, id)
                else:
                    yield row_of(cells, place.name, number, limits)


def _parquet_batches(file: Any, place: Place, limits: Limits) -> Iterator[Any]:
    with _explaining(place):
        table = pq.ParquetFile(file)
        _refuse_repeated_names(table.schema_arrow, place)
        unpacked = sum(
            table.metadata.row_group(i).total_byte_size for i in range(table.num_row_groups)
        )
    if unpacked > limits.max_decompressed_bytes:
        raise BatchError(_too_large(place, limits))
    with _explaining(place):
        yield from table.iter_batches(batch_size=BATCH_ROWS)


def _arrow_batches(file: Any, place: Place) -> Iterator[Any]:
    with _explaining(place):
        start = file.read(len(ARROW_FILE))
        file.seek(0)
        if start == ARROW_FILE:
            table = ipc.open_file(file)
            _refuse_repeated_names(table.schema, place)
            for index in range(table.num_record_batches):
                yield table.get_batch(index)
        else:
            table = ipc.open_stream(file)
            _refuse_repeated_names(table.schema, place)
            yield from table


def _rows(batch: Any, whole_is_text: bool) -> Iterator[dict[str, Any] | Fault]:
    """The rows of a checked batch by column name; a row that has no such form is a fault."""
    if whole_is_text:
        with suppress(Exception):  # some row has no form in Python: it is found below
            rows = batch.to_pylist(maps_as_pydicts="strict")
            yield from rows
            return
    for index in range(batch.num_rows):
        yield _row(batch.slice(index, 1))


def _row(batch: Any) -> dict[str, Any] | Fault:
    try:
        return batch.to_pylist(maps_as_pydicts="strict")[0]
    except UnicodeDecodeError as error:
        return Fault("bad_utf8", f"at byte {error.start} of a value")
    except Exception as error:  # a date beyond the year 9999, a time zone that nobody knows
        if isinstance(error, KeyError) and "duplicate key" in str(error):
            return Fault("duplicate_key", "a map has a key twice")
        return Fault("unreadable_value", type(error).__name__)


def _check(batch: Any, place: Place) -> bool:
    """Whether all texts of a batch are UTF-8. Reading an unchecked one can crash the process.

    Raises:
        BatchError: its lengths and offsets do not fit its bytes.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        with _explaining(place):
            for column in batch.columns:
                column.view(_as_bytes(column.type)).validate(full=True)
        return False
    return True


def _as_bytes(kind: Any) -> Any:
    """A type with bytes where it has text: what is left of its checks is that of its structure."""
    types = pa.types
    if types.is_string(kind):
        return pa.binary()
    if types.is_large_string(kind):
        return pa.large_binary()
    if types.is_string_view(kind):
        return pa.binary_view()
    if types.is_map(kind):
        return pa.map_(_as_bytes(kind.key_type), _as_bytes(kind.item_type))
    if types.is_struct(kind):
        return pa.struct([pa.field(field.name, _as_bytes(field.type)) for field in kind])
    if types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _as_bytes(kind.value_type))
    return _list_as_bytes(kind)


def _list_as_bytes(kind: Any) -> Any:
    types = pa.types
    if types.is_list(kind):
        return pa.list_(_as_bytes(kind.value_type))
    if types.is_large_list(kind):
        return pa.large_list(_as_bytes(kind.value_type))
    if types.is_fixed_size_list(kind):
        return pa.list_(_as_bytes(kind.value_type), kind.list_size)
    return kind


def _refuse_repeated_names(schema: Any, place: Place) -> None:
    names: list[str] = schema.names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise BatchError(
            f"{place.shown}: {len(repeated)} column names are there more than once: "
            f"{', '.join(repeated[:5])}. Give each column a name of its own."
        )


@contextmanager
def _explaining(place: Place) -> Generator[None]:
    try:
        yield
    except BatchError:
        raise
    except Exception as error:  # Arrow raises its own errors, OSError, ValueError, MemoryError
        problem = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise BatchError(
            f"{place.shown} is damaged or no {place.kind} file: {problem}. Fetch or write it again."
        ) from error


def _too_large(place: Place, limits: Limits) -> str:
    return (
        f"{place.shown} unpacks to more than {limits.max_decompressed_bytes} bytes. If that is "
        "right, raise `data.max_decompressed_bytes`."
    )
