"""Cleaning: what is repaired, what is dropped and why, in English and in Chinese."""

from __future__ import annotations

import time
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.cleaning.beginnings import first_letters, shows_characters
from sluice.data.cleaning.characters import (
    control_characters,
    has_fewer_visible,
    visible_characters,
)
from sluice.data.cleaning.clean import CleanSettings, clean_records, clean_table
from sluice.data.cleaning.rules import RULES
from sluice.data.cleaning.text import repair_text, repairs_of
from sluice.data.outcomes import GONE_SCHEMA
from sluice.data.record import SCHEMA, Message, Record, content_id, table_of
from sluice.data.text_bytes import bytes_of
from sluice.data.tokens import record_token_counter, token_counter
from sluice.recipe import CleaningSection, PrivacySection
from sluice.recipe.cleaning import REPAIR_NAMES, RULE_NAMES
from tests.unit.data.rows import CLEANING, SETTINGS, row, word_tokenizer


def repaired(text: str, section: CleaningSection = CLEANING) -> str:
    return repair_text(text, CleanSettings(cleaning=section)).text


def reason_of(record: Record, section: CleaningSection = CLEANING) -> str | None:
    result = clean_records([record], CleanSettings(cleaning=section))
    return result.gone[0].reason if result.gone else None


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
        ("Really?????? Yes!!!!!!!", "Really??? Yes!!!"),
        ("真的吗？？？？？？是的。。。。。。", "真的吗？？？是的。。。"),
        ("And so on......", "And so on..."),
        ("等等……", "等等……"),
        ("a\n---------\nb", "a\n---------\nb"),
        ("Stop <|im_end|> here", "Stop <| im_end |> here"),
        ("caf\u00c3\u00a9", "café"),
        ("Use `<b>` and `&lt;`  for <b>bold</b>", "Use `<b>` and `&lt;` for bold"),
        (
            "Run\n```py\nif a  :\n    <b>\n```\n\n\n\n  then ",
            "Run\n```py\nif a  :\n    <b>\n```\n\nthen",
        ),
        ("``` never   closed", "``` never closed"),
    ],
)
def test_a_text_is_repaired(text: str, clean: str) -> None:
    assert repaired(text) == clean


def test_repairs_can_be_turned_off() -> None:
    section = CleaningSection(strip_html=False, unicode_form="none")
    assert repaired("<b>cafe\u0301</b>", section) == "<b>cafe\u0301</b>"


def test_nfkc_is_a_choice_that_turns_full_width_punctuation_into_ascii() -> None:
    assert repaired("价格！", CleaningSection(unicode_form="NFKC")) == "价格!"


def test_each_repair_and_rule_can_be_switched_off_by_its_name() -> None:
    assert repaired("Wow!!!!!", CleaningSection(off=("punctuation_runs",))) == "Wow!!!!!"
    assert reason_of(row(answer="Yes."), CleaningSection(off=("answer_too_short",))) is None
    with pytest.raises(ValueError, match="no repair or rule is called answer_to_short; there are"):
        CleaningSection(off=("answer_to_short",))


def test_the_recipe_knows_the_repairs_and_rules_by_their_names_and_order() -> None:
    everything = CleaningSection(markdown="strip", off=())
    assert tuple(name for name, _ in repairs_of(everything, ())) == REPAIR_NAMES
    assert tuple(name for name, _ in RULES) == RULE_NAMES
    assert all(rule.__doc__ for _, rule in RULES)


def test_a_repaired_row_has_a_new_id_and_keeps_its_origin() -> None:
    result = clean_records([row("<b>Hi</b> there")], SETTINGS)
    (record,) = result.kept
    assert result.counts["repaired"] == {"html": 1}
    assert record.question == "Hi there"
    assert record.id == content_id(record.messages) != row("<b>Hi</b> there").id
    assert (record.source, record.line) == ("jan.jsonl", 1)


def test_an_untouched_row_is_the_same_row() -> None:
    result = clean_records([row()], SETTINGS)
    assert result.kept == (replace(row(), language="en"),)
    assert result.counts == {"rows": 1, "kept": 1, "gone": {}, "repaired": {}}


def test_what_a_row_says_of_its_language_stays() -> None:
    stated = replace(row(), language="nl")
    assert clean_records([stated], SETTINGS).kept == (stated,)


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
        (row(answer="Do you sell tents?!"), "answer_repeats_question"),
        (row(answer="do you sell TENTS: yes"), "answer_repeats_question"),
        (row(answer="Do you sell tents? Yes, of five sizes."), None),
        (row("你们卖帐篷吗？", "“你们卖帐篷吗”"), "answer_repeats_question"),
        (row(answer="As an AI language model, I cannot say."), "boilerplate"),
        (row(answer="I was trained by OpenAI to help."), "boilerplate"),
        (row(answer="作为一个人工智能，我无法回答。"), "boilerplate"),
        (row(answer="我只是一个语言模型，没有感情。"), "boilerplate"),
        (row(answer="Our AI assistant model answers at night."), None),
        (row(answer="我们的客服由人工智能协助，随时在线。"), None),
        (row(answer="I'm sorry, but we can't ship to islands."), None),
        (row(answer="The caf\ufffd is on the first floor."), "encoding_damage"),
        (row("锟斤拷锟斤拷", "请问您想了解什么产品？"), "encoding_damage"),
        (row(answer="水很烫，请小心烫伤。"), None),
        (row(answer="Größe: 3 Stück à 5 €, naïve Façade"), None),
        (row(), None),
    ],
)
def test_a_row_is_dropped_with_a_stable_reason(record: Record, reason: str | None) -> None:
    assert reason_of(record) == reason


def test_refusals_are_dropped_where_the_recipe_wants_them_dropped() -> None:
    section = CleaningSection(off=())
    assert reason_of(row(answer="I'm sorry, but I can't help with that."), section) == "refusal"
    assert reason_of(row(answer="很抱歉，我无法回答这个问题。"), section) == "refusal"
    assert reason_of(row(answer="If you are unable to log in, reset it."), section) is None


def test_phrases_of_the_recipe_are_boilerplate_in_any_case() -> None:
    section = CleaningSection(boilerplate=("thank you for (reaching) out",))
    answer = "Thank you for (Reaching) out to us."
    assert reason_of(row(answer=answer), section) == "boilerplate"


def test_a_row_with_more_tokens_than_the_trainer_takes_is_dropped(tmp_path: Path) -> None:
    tokenizer = word_tokenizer(tmp_path)
    tokens = record_token_counter(token_counter(tokenizer), None)(row())
    for most, reasons in ((tokens - 1, ["too_many_tokens"]), (tokens, [])):
        section = CleaningSection(max_tokens=most)
        result = clean_records([row()], CleanSettings(section, tokenizer_json=tokenizer))
        assert [gone.reason for gone in result.gone] == reasons


def test_a_row_of_plain_text_has_no_question_and_a_tool_call_needs_no_words() -> None:
    text = (Message("assistant", "Tents are sold in five sizes."),)
    call = (
        Message("user", "Is it sunny?"),
        Message("assistant", "", '{"tool_calls":[{"id":"1"}]}'),
    )
    rows = [Record(content_id(m), m, "jan.jsonl", i) for i, m in enumerate((text, call), 1)]
    assert len(clean_records(rows, SETTINGS).kept) == 2


def test_an_empty_answer_is_dropped_even_where_no_length_is_asked_for() -> None:
    assert reason_of(row(answer=" "), CleaningSection(min_answer_chars=0)) == "answer_empty"


def test_rows_that_leave_do_so_as_they_came_with_their_fate_and_reason() -> None:
    rows = [row(answer="<p>No</p>", line=1), row("<i>Do you sell tents?</i>", line=2)]
    result = clean_table(table_of(rows), SETTINGS)
    assert result.kept.schema == SCHEMA
    assert result.gone.schema == GONE_SCHEMA
    (gone,) = result.gone.select(["line", "fate", "reason", "detail"]).to_pylist()
    assert gone == {
        "line": 1,
        "fate": "dropped",
        "reason": "answer_too_short",
        "detail": "2 of 8",
    }
    assert result.gone.column("messages").to_pylist()[0][1]["content"] == "<p>No</p>"
    assert result.counts == {
        "rows": 2,
        "kept": 1,
        "gone": {"answer_too_short": 1},
        "repaired": {"html": 2, "whitespace": 1},
    }


def test_private_values_are_masked_or_their_rows_set_aside_and_never_told() -> None:
    key = "AKIAIOSFODNN7EXAMPLE"
    rows = [
        row("My e-mail is ann@example.com, do you ship?", line=1),
        row(answer=f"Use the access key {key} for it.", line=2),
    ]
    result = clean_records(rows, SETTINGS)
    assert [r.question for r in result.kept] == ["My e-mail is [EMAIL], do you ship?"]
    assert [(g.fate, g.reason) for g in result.gone] == [("quarantined", "private_secret")]
    assert result.counts["repaired"] == {"masked_email": 1}
    assert key not in f"{result.gone[0].detail}{result.counts}"
    kept = CleanSettings(privacy=PrivacySection(email="keep", secret="drop"))
    again = clean_records(rows, kept)
    assert again.kept[0].messages == rows[0].messages
    assert [g.fate for g in again.gone] == ["dropped"]


def test_tool_calls_are_masked_as_well_and_stay_canonical_json() -> None:
    more = '{"tool_calls":[{"arguments":{"to":"ann@example.com","say":"<|im_end|>"}}]}'
    messages = (Message("user", "Write to Ann"), Message("assistant", "", more))
    record = Record(content_id(messages), messages, "jan.jsonl", 1)
    (kept,) = clean_records([record], SETTINGS).kept
    expected = '{"tool_calls":[{"arguments":{"say":"<| im_end |>","to":"[EMAIL]"}}]}'
    assert kept.messages[1].more == expected
    assert kept.id == content_id(kept.messages)


@pytest.mark.parametrize(
    "hostile",
    [
        *("<!--", "<script>", '<a b="', "<p a=1 ", "&amp;", "<", "&", " \t", "<p " + " " * 50),
        *(
            "`",
            "```\n",
            "```x\n",
            "*a",
            "**",
            "_a ",
            "[a](",
            "- - ",
            "# ",
            "!!!!a",
            "<|",
            "Ã©",
            "锛",
        ),
    ],
)
def test_hostile_text_costs_linear_time(hostile: str) -> None:
    text = hostile * (300_000 // len(hostile))
    started = time.process_time()
    repaired(text, CleaningSection(markdown="strip"))
    assert time.process_time() - started < 5.0


PIECES = [
    *("<b>", "</p>", "<br", ">", "&lt;", "&amp;", "&#60;", "amp;", "<!--", "price < 5"),
    *(" ", "\t", "\n", "\u3000", "\u200b", "\u200d", "\ufeff", "\x07", "\x85", "\xa0"),
    *("e\u0301", "你", "\U0001f469", "`", "```", "\n```\n", "**", "# ", "!!!!", "。。。。", "…"),
    *("<|im_end|>", "</s>", "[INST]", "<|", "|>", "Ã", "©", "\ufffd", "锛", "銆", "锟斤拷"),
    *("tents ", "ann@example.com", "+49 30 901820", "AKIAIOSFODNN7EXAMPLE", "As an AI model"),
]
messy = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


@settings(max_examples=300, deadline=None)
@given(messy)
def test_repairing_twice_changes_nothing_more(text: str) -> None:
    once = repaired(text)
    assert repaired(once) == once
    assert control_characters(once) == 0
    assert unicodedata.is_normalized("NFC", once)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(messy, messy), max_size=6), st.sampled_from(["keep", "strip"]))
def test_every_row_is_kept_or_gone_once_and_clean_rows_stay_as_they_are(
    texts: list[tuple[str, str]], markdown: str
) -> None:
    rows = [row(q, a, line=i) for i, (q, a) in enumerate(texts, 1)]
    settings = CleanSettings(CleaningSection(markdown=markdown, min_answer_chars=1))  # type: ignore[arg-type]
    result = clean_records(rows, settings)
    assert sorted([*(r.line for r in result.kept), *(g.record.line for g in result.gone)]) == [
        r.line for r in rows
    ]
    assert all(g.record == rows[g.record.line - 1] for g in result.gone)
    assert result.counts["rows"] == result.counts["kept"] + sum(result.counts["gone"].values())
    again = clean_records(result.kept, settings)
    assert (again.kept, again.gone, again.counts["repaired"]) == (result.kept, (), {})


@pytest.mark.parametrize(("text", "count"), [("a b", 2), ("\u200b\u3000\u2800", 0), ("你好", 2)])
def test_visible_characters_are_what_a_reader_sees(text: str, count: int) -> None:
    assert visible_characters(text) == count


@settings(deadline=None)
@given(
    st.lists(messy | st.text(alphabet="aAbé你们䷀ｂ \u3164\uffa0\u200b?", max_size=4), min_size=1),
    st.integers(1, 3),
)
def test_what_the_first_bytes_of_texts_tell_is_true(batch: list[str], least: int) -> None:
    numbers = np.array([-1, *range(len(batch))])
    data, offsets = bytes_of(pa.array(["x", *batch], pa.string())[1:])
    shown = shows_characters(data, offsets, numbers, least).tolist()
    letters = first_letters(data, offsets, numbers).tolist()
    assert (shown[0], letters[0]) == (False, 0)
    for text, is_shown, letter in zip(batch, shown[1:], letters[1:], strict=True):
        assert not is_shown or not has_fewer_visible(text, least)
        for other, its_letter in zip(batch, letters[1:], strict=True):
            if letter and its_letter:
                alike = text[0].casefold() == other[0].casefold()
                assert (letter == its_letter) == alike
                assert text[0].isalnum()


@given(messy | st.text(alphabet="a你 \u3164\uffa0\u200b", max_size=4), st.integers(0, 3))
def test_the_quick_look_for_visible_characters_tells_the_truth(text: str, least: int) -> None:
    assert has_fewer_visible(text, least) == (visible_characters(text) < least)


def test_a_label_may_be_shorter_than_an_answer() -> None:
    short = row("Is this good?", "yes")
    label = replace(short, tags=(("label", "yes"),))
    result = clean_records([short, label], SETTINGS)
    assert [gone.record for gone in result.gone] == [short]
    assert [kept.tags for kept in result.kept] == [label.tags]
