"""Cleaning: what is repaired, what is dropped and why, in English and in Chinese."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.cleaning.characters import control_characters, visible_characters
from sluice.data.cleaning.clean import clean_records, repair_record
from sluice.data.cleaning.text import repair_text
from sluice.data.record import Record, content_id
from sluice.recipe import CleaningSection
from tests.unit.data.rows import CLEANING, row


def repaired(text: str, section: CleaningSection = CLEANING) -> str:
    return repair_text(text, section).text


def no_tokens(_: Record) -> int:
    return 0


def reason_of(record: Record, section: CleaningSection = CLEANING, tokens: int = 0) -> str | None:
    result = clean_records([record], section, lambda _: tokens)
    return result.dropped[0].reason if result.dropped else None


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  two   spaces \n\n\n\n and lines  ", "two spaces\n\nand lines"),
        ("a\tb \t c", "a\tb\tc"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("\u3000\u3000你好，\u3000\u3000世界。", "你好， 世界。"),
        ("价格：５０元！", "价格：５０元！"),
        ("cafe\u0301", "caf\u00e9"),
        ("zero\u200bwidth\ufeff\u00ad", "zerowidth"),
        ("零\u200b宽\u200d字\u2060符", "零宽字符"),
        ("hidden\U000e0041\U000e0042", "hidden"),
        ("over\u202eride", "override"),
        ("bell\x07 and\x1b escape", "bell and escape"),
        ("\U0001f469\u200d\U0001f4bb codes", "\U0001f469\u200d\U0001f4bb codes"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("<p>One</p><p>two<br/>three</p>", "One\n\ntwo\nthree"),
        ("<b>粗体</b>和<a href='x'>链接</a>", "粗体和链接"),
        ("<td>M</td><td>L</td>", "M L"),
        ("<script>alert(1)</script>ok<!-- no -->", "ok"),
        ("Fish &amp; chips&nbsp;&lt;3", "Fish & chips <3"),
        ("&lt;b&gt;twice&lt;/b&gt;", "twice"),
        ("&amp;amp;amp;", "&"),
        ("price < 50 and > 20", "price < 50 and > 20"),
        ("3 <5 and a <b and c> d", "3 <5 and a <b and c> d"),
        ("your <order number> please", "your <order number> please"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("<b\u200b>split tag</b>", "split tag"),
    ],
)
def test_a_text_is_repaired(text: str, clean: str) -> None:
    assert repaired(text) == clean


def test_repairs_can_be_turned_off() -> None:
    section = CleaningSection(strip_html=False, unicode_form="none")
    assert repaired("<b>cafe\u0301</b>", section) == "<b>cafe\u0301</b>"


def test_nfkc_is_a_choice_that_turns_full_width_punctuation_into_ascii() -> None:
    assert repaired("价格！", CleaningSection(unicode_form="NFKC")) == "价格!"


def test_a_repaired_row_has_a_new_id_and_keeps_its_origin() -> None:
    record, repairs = repair_record(row("<b>Hi</b> there"), CLEANING)
    assert repairs == {"html"}
    assert record.id == content_id(record.messages) != row("<b>Hi</b> there").id
    assert (record.source, record.line) == ("jan.jsonl", 1)


def test_an_untouched_row_is_the_same_row() -> None:
    assert repair_record(row(), CLEANING) == (row(), frozenset())


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (row("", "A whole answer."), "question_too_short"),
        (row("\u200b?", "A whole answer."), "question_too_short"),
        (row(answer=""), "answer_empty"),
        (row(answer="\u3000\u200b \u3164"), "answer_empty"),
        (row(answer="<p> </p>"), "answer_empty"),
        (row(answer="Yes."), "answer_too_short"),
        (row(answer="有的。"), "answer_too_short"),
        (row(answer="有五种尺寸可选。"), None),
        (row(answer="long " * 900), "too_many_characters"),
        (row(), None),
    ],
)
def test_a_row_is_dropped_with_a_stable_reason(record: Record, reason: str | None) -> None:
    assert reason_of(record) == reason


def test_a_row_with_more_tokens_than_the_trainer_takes_is_dropped() -> None:
    assert reason_of(row(), CleaningSection(max_tokens=64), tokens=65) == "too_many_tokens"
    assert reason_of(row(), CleaningSection(max_tokens=64), tokens=64) is None


def test_an_empty_answer_is_dropped_even_where_no_length_is_asked_for() -> None:
    assert reason_of(row(answer=" "), CleaningSection(min_answer_chars=0)) == "answer_empty"


def test_of_equal_rows_the_first_by_source_and_line_is_kept() -> None:
    rows = [
        row("Do you  sell TENTS?", source="mar.jsonl", line=1),
        row("Do you sell tents?", source="jan.jsonl", line=9),
        row("<i>Do you sell tents?</i>", source="jan.jsonl", line=4),
        row("Do you sell tents?", "Another answer to it.", source="jan.jsonl", line=5),
    ]
    result = clean_records(rows, CLEANING, no_tokens)
    assert [(r.source, r.line) for r in result.kept] == [("jan.jsonl", 4), ("jan.jsonl", 5)]
    assert {(d.record.source, d.detail) for d in result.dropped} == {
        ("mar.jsonl", "jan.jsonl:4"),
        ("jan.jsonl", "jan.jsonl:4"),
    }
    assert result.counts == {
        "rows": 4,
        "kept": 2,
        "dropped": {"exact_duplicate": 2},
        "repaired": {"html": 1, "whitespace": 1},
    }


def test_duplicates_stay_where_the_recipe_wants_them() -> None:
    section = CleaningSection(drop_duplicates=False)
    assert len(clean_records([row(), row()], section, no_tokens).kept) == 2


def test_a_dropped_row_is_shown_as_it_came() -> None:
    result = clean_records([row(answer="<p>No</p>")], CLEANING, no_tokens)
    assert result.dropped[0].record.answer == "<p>No</p>"


@pytest.mark.parametrize(
    "hostile",
    ["<!--", "<script>", '<a b="', "<p a=1 ", "&amp;", "<", "&", " \t", "<p " + " " * 50],
)
def test_hostile_text_costs_linear_time(hostile: str) -> None:
    text = hostile * (300_000 // len(hostile))
    started = time.process_time()
    repaired(text)
    assert time.process_time() - started < 5.0


PIECES = [
    *("<b>", "</p>", "<br", ">", "&lt;", "&amp;", "&#60;", "amp;", "<!--", "price < 5"),
    *(" ", "\t", "\n", "\u3000", "\u200b", "\u200d", "\ufeff", "\x07"),
    *("e\u0301", "你", "\U0001f469"),
]
messy = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@settings(max_examples=300, deadline=None)
@given(messy)
def test_repairing_twice_changes_nothing_more(text: str) -> None:
    once = repaired(text)
    assert repaired(once) == once
    assert control_characters(once) == 0
    assert unicodedata.is_normalized("NFC", once)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(messy, messy), max_size=8))
def test_every_row_is_kept_or_dropped_once_and_clean_rows_stay_as_they_are(
    texts: list[tuple[str, str]],
) -> None:
    rows = [row(q, a, line=i) for i, (q, a) in enumerate(texts, 1)]
    result = clean_records(rows, CLEANING, no_tokens)
    lines = [r.line for r in result.kept] + [d.record.line for d in result.dropped]
    assert sorted(lines) == [r.line for r in rows]
    again = clean_records(result.kept, CLEANING, no_tokens)
    assert (again.kept, again.dropped) == (result.kept, ())


@pytest.mark.parametrize(("text", "count"), [("a b", 2), ("\u200b\u3000\u2800", 0), ("你好", 2)])
def test_visible_characters_are_what_a_reader_sees(text: str, count: int) -> None:
    assert visible_characters(text) == count
