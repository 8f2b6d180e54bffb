"""What became of a row that left the path: every one is in one file, once, with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.record import SCHEMA, Record, records_of, table_of

Fate = Literal["dropped", "quarantined"]
HELD_OUT = "held-out/"  # stands before the source of held-out rows; no landing file is called so

pa: Any = pyarrow  # not typed
GONE_SCHEMA: Any = (
    SCHEMA.append(pa.field("fate", pa.string()))
    .append(pa.field("reason", pa.string()))
    .append(pa.field("detail", pa.string()))
)
REJECT_SCHEMA: Any = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("line", pa.int64()),
        ("byte_offset", pa.int64()),
        ("reason", pa.string()),
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Gone:
    """A row that left. `dropped` rows are not wanted; `quarantined` ones wait for a person.

    `reason` is a stable code; `detail` is short, and quotes nothing private.
    """

    record: Record
    fate: Fate
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """What could not become a row at all. `line` counts from 1, `byte_offset` from 0 (-1: unknown).

    `id` is a digest of the bytes; `detail` is short and never quotes them.
    """

    id: str
    source: str
    line: int
    byte_offset: int
    reason: str
    detail: str


def gone_table(gone: Sequence[Gone]) -> Any:
    """Rows that left, as an Arrow table of `GONE_SCHEMA`."""
    return with_reasons(
        table_of([row.record for row in gone]),
        [row.fate for row in gone],
        [row.reason for row in gone],
        [row.detail for row in gone],
    )


def with_reasons(
    table: Any, fates: Sequence[str], reasons: Sequence[str], details: Sequence[str]
) -> Any:
    """A table of rows with why each of them left, as `GONE_SCHEMA`."""
    for name, values in (("fate", fates), ("reason", reasons), ("detail", details)):
        table = table.append_column(pa.field(name, pa.string()), pa.array(values, pa.string()))
    return table


def gone_of(table: Any) -> list[Gone]:
    """The rows of a table of `GONE_SCHEMA`."""
    columns = (table.column(name).to_pylist() for name in ("fate", "reason", "detail"))
    return [Gone(*values) for values in zip(records_of(table), *columns, strict=True)]


def reject_table(rejects: Sequence[Reject]) -> Any:
    """Rejects as an Arrow table of `REJECT_SCHEMA`."""
    columns = {n: [getattr(reject, n) for reject in rejects] for n in REJECT_SCHEMA.names}
    return pa.table(columns, schema=REJECT_SCHEMA)
