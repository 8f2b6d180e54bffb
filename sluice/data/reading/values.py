"""Cells of columns and of databases as JSON has them, held to the rules of a line of JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import orjson

from sluice.data.outcomes import Reject
from sluice.data.reading.rows import Limits, RawRow, bytes_id, rejected, too_long
from sluice.data.strict_json import Fault

SHOWN_NAME_CHARS = 40

_SURROGATE = re.compile("[\ud800-\udfff]")


class _BrokenRuleError(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.fault = Fault(reason, detail)


def row_of(cells: Mapping[str, object], source: str, line: int, limits: Limits) -> RawRow | Reject:
    """The row that cells by column name make, or why they make none.

    Times become ISO 8601, decimals and UUIDs their text, bytes the UTF-8 text that they hold.
    Reasons are those of a line of JSON, and `unreadable_value`.
    """
    values = plain_row(cells, limits)
    if isinstance(values, Fault):
        return rejected(values, source, line, -1, bytes_id(repr(sorted(cells)).encode()))
    content = canonical(values)
    if len(content) > limits.max_line_bytes:
        return rejected(too_long(limits), source, line, -1, bytes_id(content))
    return RawRow(values, line, -1, bytes_id(content))


def plain_row(cells: Mapping[str, object], limits: Limits) -> dict[str, Any] | Fault:
    """Cells as JSON has them, or the rule that one of them breaks."""
    values: dict[str, Any] = {}
    for name, cell in cells.items():
        try:
            values[_text(name)] = _plain(cell, limits.max_nesting - 1)
        except _BrokenRuleError as error:
            where = f"{error.fault.detail}, in {name[:SHOWN_NAME_CHARS]!r}"
            return Fault(error.fault.reason, where.lstrip(", "))
    return values


def canonical(values: dict[str, Any]) -> bytes:
    """The one way in which values are spelled, for their digest and size."""
    try:
        return orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a whole number beyond 64 bits, or more levels than the fast writer takes
        text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return text.encode()


def _plain(value: object, levels: int) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, (list, tuple)):
        return _list(cast("list[object]", value), levels)
    if isinstance(value, Mapping):
        return _object(cast("Mapping[object, object]", value), levels)
    return _spelled(value)


def _spelled(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _decoded(bytes(cast("bytes", value)))
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise _BrokenRuleError("not_finite", str(value))
        return str(value)
    if isinstance(value, (UUID, timedelta)):
        return str(value)
    raise _BrokenRuleError("unreadable_value", f"a {type(value).__name__}")


def _text(text: str) -> str:
    if "\0" in text:
        raise _BrokenRuleError("nul_character", "a NUL")
    if _SURROGATE.search(text):
        raise _BrokenRuleError("lone_surrogate", "half of a surrogate pair")
    return text


def _decoded(content: bytes) -> str:
    try:
        return _text(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _BrokenRuleError("bad_utf8", f"at byte {error.start} of a value") from None


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise _BrokenRuleError("not_finite", str(value))
    return value


def _list(items: list[object] | tuple[object, ...], levels: int) -> list[Any]:
    _refuse_depth(levels)
    return [_plain(item, levels - 1) for item in items]


def _object(fields: Mapping[object, object], levels: int) -> dict[str, Any]:
    _refuse_depth(levels)
    found = {
        _text(key if isinstance(key, str) else str(key)): _plain(value, levels - 1)
        for key, value in fields.items()
    }
    if len(found) < len(fields):
        raise _BrokenRuleError("duplicate_key", "two keys are spelled alike")
    return found


def _refuse_depth(levels: int) -> None:
    if levels < 1:
        raise _BrokenRuleError("too_deep", "too many levels")
