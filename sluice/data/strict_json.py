"""One strict, bounded rule book for a line of JSON.

Parsers disagree about duplicate keys, lone surrogates, NUL, NaN and byte order marks, and one of
them crashes the process on deep nesting. So a line is read here, once, and what is stored
afterwards is the canonical Parquet that both the contracts and the trainer read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, cast

MAX_DEPTH = 32  # no row form in use nests deeper than 6; C parsers overflow near 10,000
BYTE_ORDER_MARK = "\ufeff"

_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line is not a row: a stable reason code, and a detail that quotes no content."""

    reason: str
    detail: str


class _BrokenRuleError(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.fault = Fault(reason, detail)


def parse_object(line: bytes) -> dict[str, Any] | Fault:
    """The JSON object on a line, or the one rule that the line breaks. Never raises.

    Reasons: `too_deep`, `nul_character`, `bad_utf8`, `byte_order_mark`, `not_json`,
    `duplicate_key`, `not_finite`, `not_an_object`, `lone_surrogate`.
    """
    try:
        value = _parse(line)
    except _BrokenRuleError as error:
        return error.fault
    if not isinstance(value, dict):
        return Fault("not_an_object", f"the line holds {kind_of(value)}")
    return cast("dict[str, Any]", value)


def kind_of(value: object) -> str:
    """What a person calls the type of a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "an object"


def _parse(line: bytes) -> object:
    if _deeper_than(line, MAX_DEPTH):
        raise _BrokenRuleError("too_deep", f"more than {MAX_DEPTH} levels")
    if b"\0" in line:
        raise _BrokenRuleError("nul_character", f"at byte {line.index(0)} of the line")
    value = _decode(_text_of(line))
    for text in _texts(value):
        if "\0" in text:
            raise _BrokenRuleError("nul_character", "escaped as \\u0000")
        if _SURROGATE.search(text):
            raise _BrokenRuleError("lone_surrogate", "half of a surrogate pair")
    return value


def _text_of(line: bytes) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _BrokenRuleError("bad_utf8", f"at byte {error.start} of the line") from None
    if text.startswith(BYTE_ORDER_MARK):
        raise _BrokenRuleError("byte_order_mark", "only the start of a file may carry one")
    return text


def _decode(text: str) -> object:
    try:
        return _DECODER.decode(text)
    except _BrokenRuleError:
        raise
    except json.JSONDecodeError as error:
        problem = error.msg.removesuffix(" at")
        raise _BrokenRuleError("not_json", f"{problem} at column {error.colno}") from None
    except (ValueError, RecursionError) as error:  # ValueError: an integer of over 4300 digits
        raise _BrokenRuleError("not_json", type(error).__name__) from None


def _deeper_than(line: bytes, limit: int) -> bool:
    if line.count(b"[") + line.count(b"{") <= limit:
        return False
    depth = 0
    for match in _BRACKETS.finditer(line):
        first = match.group()[:1]
        if first in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _BrokenRuleError("duplicate_key", "which of the two values counts is anyone's guess")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise _BrokenRuleError("not_finite", name)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):  # 1e999 is infinity by another spelling
        raise _BrokenRuleError("not_finite", "a number beyond the range of a double")
    return value


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in cast("dict[str, object]", value).items():
            yield key
            yield from _texts(item)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
)
