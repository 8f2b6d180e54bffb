"""Private data: treatments, masks, the quick look, and the shipped rows."""

from __future__ import annotations

import dataclasses
import json
import pickle
import time
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.privacy import KINDS, Private, Span
from sluice.data.privacy.screen import screened
from sluice.data.privacy.spans import without_overlaps
from sluice.recipe import PrivacySection

EXAMPLES = Path(__file__).parents[3] / "examples"
EVERY = PrivacySection(secret="mask")
PRIVATE = Private(EVERY)

# Pieces of private data and of what is about it: put together they meet at every border.
PIECES = [
    "13800138000", "212-555-0142", "555-0142", "+44 20 7946 0018", "030 901820", "010-88886666",
    "a.b@example.com", "@", "x@y", "4242424242424242", "4111 1111 1111 1111", "6217001234567890122",
    "DE89 3704 0044 0532 0130 00", "11010519491231002X", "536-90-4399", "AB123456C", "10.0.0.5",
    "2001:db8::1", "::", "AKIAIOSFODNN7EXAMPLE", "hf_AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh",
    "password=", "密码是", "hunter22", '"', "postgres://u:", "@host/", "call ", "phone: ", "电话",
    "订单号", "order ", "version ", "[PHONE]", "[EMAIL]", "[SECRET]", "2024-01-15", "139", "元",
    " ", "-", ".", "/", "(", ")", "+", "，", "：", "１", "８", "－", "＠", "你", "x", "\n", "0",
    "1", "7",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join)
WIDE = {ord(c): ord(c) + 0xFEE0 for c in "0123456789.@abcdefABCDEF"}
ADDRESSES = st.builds(
    lambda address, wide, before, after: before + (
        str(address).translate(WIDE) if wide else str(address)
    ) + after,
    st.ip_addresses() | st.emails(),
    st.booleans(),
    st.sampled_from(["", "ip ", "地址", "at:", "= ", "v1.2 "]),
    st.sampled_from(["", " ", "。", ", ok"]),
)  # fmt: skip
ASSIGNED = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "my ", "“", "MY_", "我的", "ｍ"]),
        st.sampled_from(
            ["password", "PassPhrase", "\u212aEY", "to\u212aen", "pwd", "密钥", "口令"]
        ),
        st.text(alphabet="\"'`* \t", max_size=3),
        st.sampled_from([":", "=", "：", "是", "为", ":=", "=>", " = "]),
        st.sampled_from(["hunter22", '"hunter"', "'x1y2z3w4'", "\t s3cr3ts", "$env"]),
    ),
)


@settings(max_examples=500, deadline=None)
@given(texts)
def test_masking_twice_is_masking_once(text: str) -> None:
    masked = PRIVATE.mask(text)
    again = PRIVATE.mask(masked.text)
    assert again.text == masked.text
    assert not again.counts


@settings(max_examples=500, deadline=None)
@given(texts)
def test_the_quick_look_never_denies_what_is_found(text: str) -> None:
    assert PRIVATE.may_have(text) or not PRIVATE.find(text)


@settings(max_examples=500, deadline=None)
@given(st.lists(texts | ADDRESSES | ASSIGNED, min_size=1, max_size=20))
def test_the_look_over_many_texts_misses_nothing_that_is_found(batch: list[str]) -> None:
    named = set(screened(pa.array(["13800138000", *batch])[1:]).tolist())
    assert {i for i, text in enumerate(batch) if PRIVATE.find(text)} <= named


@pytest.mark.parametrize(
    "text",
    [
        "Version 3.1.4 costs 49.90 € since 2024; call it state-of-the-art: yes!",
        "The key point: they open at 10:30, 11:30 and 12:30 ... or later.",
        "| a | b |\n|-----|-----|\n| 1 | 2 |\n\ndef f(x: int = 3) -> str: ...",
        "密码在设置里改，口令也一样：请看第3.2.1节！是的，为您服务，共12345元。",
    ],
)
def test_ordinary_text_is_not_named_among_many(text: str) -> None:
    assert screened(pa.array([text])).tolist() == []


@settings(max_examples=300, deadline=None)
@given(texts)
def test_spans_lie_in_the_text_in_order_and_apart(text: str) -> None:
    spans = PRIVATE.find(text)
    places = [place for span in spans for place in (span.start, span.end)]
    assert places == sorted(places)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert PRIVATE.find(text) == spans


@settings(max_examples=300, deadline=None)
@given(texts)
def test_what_is_outside_the_spans_is_not_touched(text: str) -> None:
    spans = PRIVATE.find(text)
    if not spans:
        assert PRIVATE.mask(text).text == text


@given(st.text(max_size=30), st.sampled_from(["\ud800", "\udfff"]))
def test_lone_surrogates_are_no_reason_to_fail(text: str, lone: str) -> None:
    PRIVATE.mask(text + lone + "13800138000")


@pytest.mark.parametrize("private", ["a.b@example.com", "10.0.0.5", "password=hunter22"])
def test_a_long_text_hides_nothing_from_the_quick_look(private: str) -> None:
    text = "Some ordinary words. 一些普通的话。" * 50
    assert not PRIVATE.may_have(text)
    assert PRIVATE.may_have(text + " " + private + " " + text)


def test_each_kind_has_its_mask_in_either_language() -> None:
    text = (
        "a@example.com 13800138000 10.0.0.5 4242424242424242 11010519491231002X "
        "AKIAIOSFODNN7EXAMPLE"
    )
    assert PRIVATE.mask(text).text == (
        "[EMAIL] [PHONE] [IP ADDRESS] [BANK CARD] [ID NUMBER] [SECRET]"
    )
    chinese = Private(PrivacySection(secret="mask", mask_language="chinese"))
    assert chinese.mask(text).text == "[邮箱] [电话] [IP地址] [银行卡号] [证件号] [密钥]"
    assert PRIVATE.mask(text).counts == dict.fromkeys(KINDS, 1)


def test_only_what_is_to_be_masked_is_masked_and_the_rest_is_still_found() -> None:
    private = Private(PrivacySection(email="drop", phone="mask", secret="quarantine"))
    text = "a@example.com 13800138000 AKIAIOSFODNN7EXAMPLE"
    assert private.mask(text).text == "a@example.com [PHONE] AKIAIOSFODNN7EXAMPLE"
    assert [span.kind for span in private.find(text)] == ["email", "phone", "secret"]


def test_what_is_kept_is_not_found_and_is_not_taken_for_something_else() -> None:
    private = Private(PrivacySection(bank_card="keep", national_id="keep"))
    assert private.find("4242424242424242 and 11010519491231002X") == []


def test_with_all_kinds_kept_nothing_is_looked_for() -> None:
    private = Private(PrivacySection(**dict.fromkeys(KINDS, "keep")))
    assert not private.may_have("13800138000 a@example.com")


def test_the_shop_s_own_address_and_number_stay_however_they_are_written() -> None:
    private = Private(PrivacySection(public=("Help@Example.com", "021-68886888")))
    assert private.find("help@example.com 或 (021) 6888 6888") == []
    assert len(private.find("help@example.org 或 021-68886889")) == 2


def test_a_region_that_the_recipe_does_not_name_is_not_read() -> None:
    assert Private(PrivacySection(phone_regions=("US",))).find("手机13800138000") == []


def test_of_overlapping_finds_the_surer_kind_counts_then_the_longer() -> None:
    assert without_overlaps([Span(0, 9, "phone"), Span(4, 6, "bank_card")]) == [
        Span(4, 6, "bank_card")
    ]
    assert without_overlaps([Span(0, 5, "phone"), Span(2, 9, "phone")]) == [Span(2, 9, "phone")]


def test_a_span_says_where_and_what_kind_and_nothing_else() -> None:
    (span,) = PRIVATE.find("ring 555-0142")
    assert {field.name for field in dataclasses.fields(span)} == {"start", "end", "kind"}
    assert "555" not in repr(span)


def test_it_travels_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(PRIVATE)).find("13800138000") == [Span(0, 11, "phone")]


@pytest.mark.parametrize(
    "hostile",
    ["1 " * 20_000, "1" * 40_000, "@" * 40_000, "a@" * 20_000, "a." * 20_000, ":" * 40_000,
     "1-" * 20_000, "password=" * 5_000, "1.1.1." * 7_000, "eyJ" * 15_000, "+1 " * 13_000,
     "-----BEGIN PRIVATE KEY-----" * 1_000, "AB12" * 10_000, "a:b@" * 10_000, "://a:" * 8_000,
     "a@b.org " * 5_000, "13800138000 " * 3_000],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_hostile_text_costs_linear_time(hostile: str) -> None:
    started = time.perf_counter()
    PRIVATE.mask(hostile)
    assert time.perf_counter() - started < 2


def rows_of(example: str) -> list[tuple[str, int, str]]:
    files = sorted((EXAMPLES / example).glob("*.jsonl"))
    return [
        (path.name, number, line)
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
    ]


@pytest.mark.parametrize("example", ["customer_service", "kefu"])
def test_the_shipped_rows_with_contact_details_are_found_and_no_other(example: str) -> None:
    dirt = json.loads((EXAMPLES / example / "dirt.json").read_text(encoding="utf-8"))
    planted = {(name, n) for name, kinds in dirt.items() for n in kinds["contact_details"]}
    found = {(name, n): PRIVATE.find(line) for name, n, line in rows_of(example)}
    assert {place for place, spans in found.items() if spans} == planted
    assert all({s.kind for s in found[place]} == {"email", "phone"} for place in planted)
