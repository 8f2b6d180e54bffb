"""The recipe's own templates: what they write for a row, and what is refused when they are read."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sluice.recipe import MappingSection
from sluice.recipe.template import Slot, parse_template
from tests.unit.data.raw_rows import record_of, reject_of, turns

CLAUSE = {
    "clause": "乙方应在三日内付款。",
    "analysis": {"risk": 3, "parties": ["甲方", "乙方"], "duties": [{"who": "乙方"}], "due": None},
}


def mapping(**templates: Any) -> MappingSection:
    return MappingSection.model_validate({"instruction": "Q", "output": "{clause}"} | templates)


def written(template: str, values: dict[str, Any], **more: Any) -> str:
    return record_of(values, "mapping", mapping(output=template, **more)).answer


def test_a_row_of_a_table_becomes_question_and_answer() -> None:
    rules = mapping(instruction="{question}", output="{reply}")
    record = record_of({"question": "退货吗？", "reply": "可以。"}, "mapping", rules)
    assert turns(record) == [("user", "退货吗？"), ("assistant", "可以。")]


def test_a_mapping_may_have_a_system_message_context_tags_and_a_time() -> None:
    rules = mapping(
        system="You are a lawyer.",
        instruction="解析法律条款",
        input="{clause}",
        output="风险：{analysis.risk}",
        tags={"risk": "r{analysis.risk}", "due": "{analysis.due?}"},
        received_at="{day}",
    )
    record = record_of(CLAUSE | {"day": "2026-09-01", "intent": "law"}, "mapping", rules)
    assert turns(record) == [
        ("system", "You are a lawyer."),
        ("user", "解析法律条款\n乙方应在三日内付款。"),
        ("assistant", "风险：3"),
    ]
    assert record.tags == (("intent", "law"), ("risk", "r3"))
    assert record.received_at == "2026-09-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{clause}", "乙方应在三日内付款。"),
        ("{ clause }", "乙方应在三日内付款。"),
        ("{analysis.duties.0.who}付", "乙方付"),
        ("{analysis.parties}", "甲方、乙方"),
        ("{analysis.parties.1}", "乙方"),
        ("{analysis.duties}", '[{"who":"乙方"}]'),
        ("{{{analysis.risk}}}", "{3}"),
        ("{{clause}} {analysis.risk}", "{clause} 3"),
        ("{clause}{gone?}{analysis.due?}{analysis.parties.2?}", "乙方应在三日内付款。"),
    ],
)
def test_templates_reach_nested_values(template: str, text: str) -> None:
    assert written(template, CLAUSE, join="、") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (21.50, "21.5"),
        (False, "false"),
        ({"b": 1, "a": "é"}, '{"a":"é","b":1}'),
        ([], ""),
        ([1, 2.5], "[1,2.5]"),
        (["a", "b"], "a\nb"),
        (date(2026, 9, 1), "2026-09-01"),
        (Decimal("1.50"), "1.50"),
        ({"on": date(2026, 9, 1)}, '{"on":"2026-09-01"}'),
    ],
)
def test_values_that_are_no_text_are_written_plainly(value: Any, text: str) -> None:
    assert written("{x}", {"x": value}) == text


def test_a_column_whose_name_has_a_dot_is_found_by_its_whole_name() -> None:
    assert written("{a.b}", {"a.b": "whole", "a": {"b": "nested"}}) == "whole"


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("{reply}", "missing_reply"),
        ("{analysis.due}", "missing_analysis.due"),
        ("{analysis.parties.2}", "missing_analysis.parties.2"),
        ("{clause.x}", "missing_clause.x"),
        ("{raw}", "wrong_type"),
        ("{nested}", "wrong_type"),
        ("{nan}", "missing_nan"),
    ],
)
def test_a_row_that_a_template_cannot_be_written_for_is_a_reject(template: str, code: str) -> None:
    row = CLAUSE | {"raw": b"\xff", "nested": {"x": b"\xff"}, "nan": float("nan")}
    assert reject_of(row, "mapping", mapping(output=template)).reason == code


def test_names_stand_for_the_values_of_a_field() -> None:
    names = {"label": {0: "负面", 1: "正面"}}
    tags = {"label": "{label}"}
    assert written("{label}", {"label": 1}, names=names) == "正面"
    assert written("{label}", {"label": "0"}, names=names) == "负面"
    rules = mapping(output="{label}", tags=tags, names=names)
    assert record_of({"label": 0}, "mapping", rules).tag("label") == "负面"
    reject = reject_of({"label": 2}, "mapping", rules)
    assert (reject.reason, reject.detail) == (
        "unknown_value",
        "label: none of the 2 values in `names`",
    )


def test_names_of_truth_values_are_found_however_a_table_writes_them() -> None:
    for value in (True, "true"):
        assert written("{x}", {"x": value}, names={"x": {True: "是", False: "否"}}) == "是"


def test_names_do_not_make_an_optional_field_required() -> None:
    assert written("x{label?}", {}, names={"label": {0: "no"}}) == "x"


@pytest.mark.parametrize("template", ["{", "}", "{}", "{a", "a}", "{a..b}", "{.a}", "{?}", "{{a}"])
def test_a_wrong_template_is_an_error_of_the_recipe(template: str) -> None:
    with pytest.raises(ValidationError, match="at character"):
        mapping(instruction=template)
    with pytest.raises(ValidationError, match="at character"):
        mapping(tags={"x": template})


def test_an_answer_without_a_field_is_an_error_of_the_recipe() -> None:
    with pytest.raises(ValidationError, match="same answer"):
        mapping(output="I do not know.")


def test_names_for_a_field_that_no_template_names_are_an_error_of_the_recipe() -> None:
    with pytest.raises(ValidationError, match="which no template names"):
        mapping(names={"labell": {"0": "no"}})


@given(st.text())
def test_any_text_is_written_as_it_is_if_its_braces_are_doubled(text: str) -> None:
    pieces = parse_template(text.replace("{", "{{").replace("}", "}}"))
    assert "".join(str(piece) for piece in pieces) == text
    assert not any(isinstance(piece, Slot) for piece in pieces)


@given(st.text(alphabet="{}a.?0 ", max_size=12))
def test_a_template_is_read_or_refused_and_nothing_else(template: str) -> None:
    try:
        pieces = parse_template(template)
    except ValueError:
        return
    assert all(isinstance(piece, Slot) or piece for piece in pieces)
