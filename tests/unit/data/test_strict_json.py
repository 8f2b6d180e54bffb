"""The rule book: each fault has one reason, and the fast parser never disagrees with it."""

from __future__ import annotations

import codecs
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.strict_json import Fault, parse_by_the_book, parse_object

DEEP = 32

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**63 - 3, max_value=2**64 + 3)
    | st.integers(min_value=-(2**63) - 3, max_value=-(2**63) + 3)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text()
    | st.sampled_from(['":', '" :', "\\", '\\":', "{", "]", "\0", "\ud800", "\ufeff", "有帐篷吗？"])
)
keys = st.sampled_from(["a", "b", "a:", '"', "", "\\", "instruction", "\ud83d"]) | st.text(
    max_size=4
)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(keys, v, max_size=4), max_leaves=12
)
separators = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\n"), (",", "\r:")])
NUMBERS = """-0 0 -0.0 01 1. .5 1e5 1E+5 1e999 -1e999 1e-999 5e-324 1e18 1e19 NaN -Infinity 0x1
    1_0 9223372036854775807 9223372036854775808.0 18446744073709551615 18446744073709551616
    -9223372036854775809 1.7976931348623157e308 1.7976931348623159e308"""
SCRAPS = rb""" " \ : ": , { } [ ] \u0000 \ud800 \udc00 \ud83d\ude00 \\u0000 \x \" \\ NaN 1e999 -0
    null tru // ' "a":1, {"a": "a":"""
BYTES = ['" :', '"a" :2', "\0", " ", "\t", "\x0b", "\x0c", "\x7f", "\xa0", "\u2028", "\ufeff"]
BAD_BYTES = [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"9" * 30]

numbers = st.sampled_from([*NUMBERS.split(), "1" * 400, "9" * 5000])
nasty = st.sampled_from([*SCRAPS.split(), *(text.encode() for text in BYTES), *BAD_BYTES])


def told(result: dict[str, Any] | Fault) -> str:
    """A result with the types of its numbers and the order of its keys."""
    return repr(result)


def agree(line: bytes, max_nesting: int = DEEP) -> None:
    assert told(parse_object(line, max_nesting)) == told(parse_by_the_book(line, max_nesting))


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    value = draw(st.dictionaries(keys, values, max_size=5))
    text = json.dumps(value, ensure_ascii=draw(st.booleans()), separators=draw(separators))
    return text.encode("utf-8", errors="surrogatepass")


@st.composite
def with_doubled_keys(draw: st.DrawFn) -> bytes:
    """Objects whose keys may repeat, spaced so that counts of `":` and colons mislead."""
    pairs = draw(st.lists(st.tuples(keys, values), max_size=5))
    colon, comma = (
        draw(st.sampled_from([":", " :", ": ", "\t:\n"])),
        draw(st.sampled_from([",", " , "])),
    )
    body = comma.join(f"{json.dumps(k)}{colon}{json.dumps(v)}" for k, v in pairs)
    inner = "{" + body + "}"
    return draw(st.sampled_from([inner, f'{{"x":[{inner}]}}', f'{{"a":{inner}}}'])).encode()


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    line = bytearray(draw(objects() | with_doubled_keys()))
    for piece in draw(st.lists(nasty | st.binary(max_size=3), max_size=4)):
        at = draw(st.integers(0, len(line)))
        line[at : at + draw(st.integers(0, 3))] = piece
    return bytes(line)


@settings(max_examples=400, deadline=None)
@given(objects() | with_doubled_keys() | spoiled(), st.sampled_from([1, 2, 3, 4, DEEP]))
def test_the_fast_parser_gives_what_the_rule_book_gives(line: bytes, max_nesting: int) -> None:
    agree(line, max_nesting)


@settings(max_examples=200, deadline=None)
@given(st.lists(nasty, max_size=12).map(b"".join))
def test_they_agree_on_scraps_too(scrap: bytes) -> None:
    agree(scrap)
    agree(b'{"a":"' + scrap + b'"}')


@settings(max_examples=200, deadline=None)
@given(
    numbers | st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["%s", "[%s]"]),
)
def test_they_agree_on_numbers(number: str, shape: str) -> None:
    agree(b'{"a":' + (shape % number).encode() + b"}")


@pytest.mark.parametrize("depth", [1, 2, 31, 32, 33, 200, 900, 1030, 50_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_they_agree_on_depth(depth: int, opening: bytes, closing: bytes) -> None:
    for max_nesting in (DEEP, 256):
        agree(b'{"x":' + opening * depth + b"1" + closing * depth + b"}", max_nesting)
        agree(b'{"x":' + opening * depth, max_nesting)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": "b', "not_json"),
        (b"", "not_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not_json"),
        (b'["a", "b"]', "not_an_object"),
        (b'{"a": "b", "a": "c"}', "duplicate_key"),
        (b'{"a" :"b", "a": "c", "d": "\\":"}', "duplicate_key"),
        (b'{"a": "b", "x": {"y": 1, "y": 2}}', "duplicate_key"),
        (b'{"a": [{"y": 1, "y": 2}]}', "duplicate_key"),
        (b'{"a": NaN}', "not_finite"),
        (b'{"a": -Infinity}', "not_finite"),
        (b'{"a": 1e999}', "not_finite"),
        (b'{"a": "\xff"}', "bad_utf8"),
        (b'{"a": "\xed\xa0\x80"}', "bad_utf8"),
        (b'{"a": "\\ud800"}', "lone_surrogate"),
        (b'{"a": "\\udc00\\ud800"}', "lone_surrogate"),
        (b'{"\\udfff": 1}', "lone_surrogate"),
        (b'{"a": "b\\u0000"}', "nul_character"),
        (b'{"\\u0000": "b"}', "nul_character"),
        (b'{"a": "b\x00"}', "nul_character"),
        (codecs.BOM_UTF8 + b'{"a": 1}', "byte_order_mark"),
        (b"[" * 50_000, "too_deep"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "too_deep"),
    ],
)
def test_each_fault_has_one_reason(line: bytes, reason: str) -> None:
    found = parse_object(line, DEEP)
    assert isinstance(found, Fault)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        (b' {"a": 123456789012345678901234567890}\t', {"a": 123456789012345678901234567890}),
        (b'{"a": "\\\\u0000"}', {"a": "\\u0000"}),
        (b'{"a": ": \\": "}', {"a": ': ": '}),
        (b'{"a": -0, "b": -0.0, "c": [true, null]}', {"a": 0, "b": -0.0, "c": [True, None]}),
        ('{"有帐篷吗？": "有：五种"}'.encode(), {"有帐篷吗？": "有：五种"}),
    ],
)
def test_values_are_as_written(line: bytes, value: dict[str, Any]) -> None:
    assert repr(parse_object(line, DEEP)) == repr(value)


def test_nesting_is_bounded_by_the_limit_given() -> None:
    line = b'{"a": [[1]]}'
    assert parse_object(line, 3) == {"a": [[1]]}
    assert parse_object(line, 2) == Fault("too_deep", "more than 2 levels")


def test_brackets_inside_text_are_not_nesting() -> None:
    assert parse_object(json.dumps({"a": "[" * 500 + '"{' * 500}).encode(), 2) is not None
    assert not isinstance(parse_object(b'{"a": "' + b"[" * 500 + b'"}', 2), Fault)


def test_a_negative_zero_keeps_its_sign() -> None:
    found = parse_object(b'{"a": -0.0}', DEEP)
    assert isinstance(found, dict)
    assert math.copysign(1, found["a"]) == -1
