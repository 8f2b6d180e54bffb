"""One strict, bounded rule book for a line of JSON.

Parsers disagree about duplicate keys, lone surrogates, NUL, NaN and byte order marks, and one of
them crashes the process on deep nesting. So a line is read here, once, and what is stored
afterwards is the canonical Parquet that both the contracts and the trainer read.

`parse_by_the_book` is the definition. `parse_object` gives the same answer sooner: a fast parser
reads the line, and its answer stands only where nothing about the line is in doubt.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, cast

import orjson

BYTE_ORDER_MARK = "\ufeff"
EXACT_FLOAT = 2.0**63  # from here on the fast parser also makes floats of whole numbers

_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_KEY_ENDS = re.compile(rb'"[ \t\r\n]*+:')


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line is not a row: a stable reason code, and a detail that quotes no content."""

    reason: str
    detail: str


class _BrokenRuleError(ValueError):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.fault = Fault(reason, detail)


def parse_object(line: bytes, max_nesting: int) -> dict[str, Any] | Fault:
    """The JSON object on a line, or the one rule that the line breaks. Never raises.

    Reasons: `too_deep` (more than `max_nesting` levels), `nul_character`, `bad_utf8`,
    `byte_order_mark`, `not_json`, `duplicate_key`, `not_finite`, `not_an_object`,
    `lone_surrogate`.
    """
    try:
        value: object = orjson.loads(line)
    except ValueError:
        return parse_by_the_book(line, max_nesting)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        if _beyond_doubt(line, fields, max_nesting):
            return fields
    return parse_by_the_book(line, max_nesting)


def parse_by_the_book(line: bytes, max_nesting: int) -> dict[str, Any] | Fault:
    """What `parse_object` gives, by the slower parser that has a hook for each rule."""
    try:
        value = _parse(line, max_nesting)
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


def _beyond_doubt(line: bytes, fields: dict[str, Any], max_nesting: int) -> bool:
    """Whether the slower parser would certainly give these fields too."""
    if b"\\u0000" in line:
        return False
    keys = _keys_of(fields, max_nesting)
    # Each key of the line has a colon, so as many keys as colons leave no key written twice.
    if keys == line.count(b":"):
        return True
    # Texts have colons too. Those that follow a quote count, once escaped quotes are gone.
    bare = line.replace(rb"\\", b"").replace(rb"\"", b"")
    return keys == len(_KEY_ENDS.findall(bare))


def _keys_of(fields: dict[str, Any], levels: int) -> int:
    """How many keys an object has, with those below it; -1 if too deep, or a number is doubtful."""
    if levels < 1:
        return -1
    keys = len(fields)
    for value in fields.values():
        if type(value) is str:
            continue
        below = _keys_below(value, levels - 1)
        if below < 0:
            return -1
        keys += below
    return keys


def _keys_below(value: object, levels: int) -> int:
    if isinstance(value, dict):
        return _keys_of(cast("dict[str, Any]", value), levels)
    if isinstance(value, list):
        return _keys_in_list(cast("list[object]", value), levels)
    if isinstance(value, float) and not -EXACT_FLOAT < value < EXACT_FLOAT:
        return -1
    return 0


def _keys_in_list(items: list[object], levels: int) -> int:
    if levels < 1:
        return -1
    keys = 0
    for item in items:
        below = _keys_below(item, levels - 1)
        if below < 0:
            return -1
        keys += below
    return keys


def _parse(line: bytes, max_nesting: int) -> object:
    if _deeper_than(line, max_nesting):
        raise _BrokenRuleError("too_deep", f"more than {max_nesting} levels")
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
