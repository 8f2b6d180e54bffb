"""Forms: every row becomes one conversation that ends with an answer, or a reject with a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.forms import converter
from sluice.data.outcomes import Reject
from sluice.data.reading import RawRow
from sluice.data.record import Record, content_id, records_of, table_of
from sluice.recipe.data import Form
from tests.unit.data.raw_rows import record_of, reject_of, turns

PAIR = {"instruction": "有帐篷吗？", "output": "有，五种尺寸。"}
USER = {"role": "user", "content": "Where is order 17?"}
ANSWER = {"role": "assistant", "content": "On its way."}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"n": 17}'}}


def calling(call: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [call]}


def reason(values: dict[str, Any], form: Form) -> str:
    return reject_of(values, form).reason


# Alpaca


@pytest.mark.parametrize(
    ("context", "question"),
    [("Order 17", "Where?\nOrder 17"), ("  ", "Where?"), ("", "Where?"), (None, "Where?")],
)
def test_the_input_joins_the_question_where_it_is_not_blank(
    context: str | None, question: str
) -> None:
    row = {"instruction": "Where?", "input": context, "output": "Here.", "x": 1}
    assert record_of(row, "alpaca").question == question


def test_a_record_keeps_its_place_and_is_named_by_its_content() -> None:
    record = record_of(PAIR, "alpaca")
    assert (record.source, record.line) == ("jan.jsonl", 3)
    assert record.id == content_id(record.messages)


def test_a_reject_keeps_its_place_and_the_id_of_its_bytes() -> None:
    reject = reject_of({"instruction": "a"}, "alpaca")
    assert (reject.id, reject.source) == ("0123456789abcdef", "jan.jsonl")
    assert (reject.line, reject.byte_offset) == (3, 40)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"instruction": "a"}, "missing_output"),
        ({"instruction": 7}, "missing_output"),
        ({"instruction": "a", "output": None}, "missing_output"),
        ({"instruction": "a", "output": float("nan")}, "missing_output"),
        ({"output": "a"}, "missing_instruction"),
        ({"instruction": "a", "output": 7}, "wrong_type"),
        ({"instruction": "a", "input": ["b"], "output": "c"}, "wrong_type"),
        ({"instruction": "a", "input": 0, "output": "c"}, "wrong_type"),
        ({"instruction": "a", "output": "c", "history": "b"}, "wrong_type"),
        ({"instruction": "a", "output": "c", "history": [["b"]]}, "wrong_type"),
        ({"instruction": "a", "output": "b", "intent": ["x"]}, "wrong_type"),
    ],
)
def test_each_misfit_of_alpaca_has_one_reason(row: dict[str, Any], code: str) -> None:
    assert reason(row, "alpaca") == code


def test_an_empty_output_is_a_record_because_dropping_it_is_cleaning() -> None:
    assert record_of(PAIR | {"output": ""}, "alpaca").answer == ""


def test_system_and_history_of_alpaca_come_before_the_question() -> None:
    row = PAIR | {"system": "Be brief.", "history": [["你好", "您好"], ["忙吗", "不忙"]]}
    assert turns(record_of(row, "alpaca")) == [
        ("system", "Be brief."),
        *(("user", "你好"), ("assistant", "您好"), ("user", "忙吗"), ("assistant", "不忙")),
        *(("user", "有帐篷吗？"), ("assistant", "有，五种尺寸。")),
    ]


def test_a_blank_system_prompt_is_none() -> None:
    assert len(record_of(PAIR | {"system": " ", "history": None}, "alpaca").messages) == 2


# Messages


def test_messages_keep_system_prompts_turns_and_tools() -> None:
    row = {
        "messages": [
            {"role": "developer", "content": "Be brief."},
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "sent"},
            ANSWER,
        ],
        "tools": [{"type": "function", "function": {"name": "find"}}],
    }
    record = record_of(row, "messages")
    assert [message.role for message in record.messages] == [
        *("system", "user", "assistant", "tool", "assistant")
    ]
    called, told = record.messages[2], record.messages[3]
    assert called.content == ""
    assert called.more is not None
    assert told.more == '{"tool_call_id":"c1"}'
    assert record.tools == '[{"function":{"name":"find"},"type":"function"}]'
    assert record.id == content_id(record.messages, record.tools)


def test_arguments_of_a_call_are_an_object_whether_written_as_text_or_not() -> None:
    written = {"name": "find", "arguments": {"n": 17}}
    wanted = '{"tool_calls":[{"function":{"arguments":{"n":17},"name":"find"},"type":"function"}]}'
    for calls in ([{"function": written}], [written | {"arguments": '{"n": 17}'}], written):
        message = {"role": "assistant", "content": "", "tool_calls": calls}
        assert record_of({"messages": [USER, message]}, "messages").messages[-1].more == wanted


def test_a_conversation_may_end_with_a_call() -> None:
    record = record_of(
        {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]}, "messages"
    )
    assert record.answer == ""
    assert record.messages[-1].more is not None


def test_parts_of_text_are_joined_and_other_parts_are_a_misfit() -> None:
    parts = [{"type": "text", "text": "Where is"}, {"type": "text", "text": "order 17?"}]
    message = {"role": "user", "content": parts}
    assert record_of({"messages": [message, ANSWER]}, "messages").question == "Where is\norder 17?"
    image = {"type": "image_url", "image_url": {"url": "data:..."}}
    message = {"role": "user", "content": [*parts, image]}
    assert reason({"messages": [message, ANSWER]}, "messages") == "not_text"


def test_two_turns_of_one_role_become_one_because_many_templates_refuse_them() -> None:
    row = {"messages": [USER, {"role": "user", "content": "Hello?"}, ANSWER, ANSWER]}
    assert turns(record_of(row, "messages")) == [
        ("user", "Where is order 17?\nHello?"),
        ("assistant", "On its way.\nOn its way."),
    ]


def test_two_results_of_tools_stay_two() -> None:
    results = [{"role": "tool", "tool_call_id": f"c{i}", "content": "sent"} for i in (1, 2)]
    call = {"role": "assistant", "tool_calls": [CALL, CALL | {"id": "c2"}]}
    assert len(record_of({"messages": [USER, call, *results, ANSWER]}, "messages").messages) == 5


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        (None, "missing_messages"),
        ("hello", "wrong_type"),
        ({"role": "user"}, "wrong_type"),
        ([], "empty_conversation"),
        ([USER], "no_answer"),
        ([USER, ANSWER, USER], "no_answer"),
        ([USER, {"role": "tool", "content": "17"}], "no_answer"),
        ([USER, ANSWER | {"weight": 0}], "no_answer"),
        ([USER, "On its way."], "wrong_type"),
        ([{"content": "x"}, ANSWER], "missing_role"),
        ([{"role": "boss", "content": "x"}, ANSWER], "unknown_role"),
        ([{"role": 7, "content": "x"}, ANSWER], "wrong_type"),
        ([USER, {"role": "assistant"}], "missing_content"),
        ([USER, {"role": "assistant", "content": None}], "missing_content"),
        ([USER, {"role": "assistant", "content": 17}], "wrong_type"),
        ([USER, ANSWER | {"name": 3}], "wrong_type"),
        ([USER, {"role": "system", "content": "x"}, ANSWER], "wrong_order"),
        ([USER, calling({"id": "c1"})], "bad_tool_call"),
        ([USER, calling({"name": "f", "arguments": 3})], "bad_tool_call"),
        ([USER, calling({"name": "f", "arguments": "{"})], "wrong_type"),
    ],
)  # fmt: skip
def test_each_misfit_of_messages_has_one_reason(messages: Any, code: str) -> None:
    assert reason({"messages": messages}, "messages") == code


def test_a_detail_says_which_message_and_quotes_nothing() -> None:
    reject = reject_of({"messages": [USER, {"role": "secret-4711", "content": "x"}]}, "messages")
    assert "message 2" in reject.detail
    assert "4711" not in reject.detail


def test_tables_may_hold_messages_and_tools_as_json_text() -> None:
    row = {"messages": json.dumps([USER, ANSWER]), "tools": '[{"name": "find"}]'}
    record = record_of(row, "messages")
    assert (record.answer, record.tools) == ("On its way.", '[{"name":"find"}]')
    for broken in ('[{"role": "user"', '[{"role": "\\ud800"}]', "[" * 100, '1, "value": []'):
        assert reason({"messages": broken}, "messages") == "wrong_type"


@pytest.mark.parametrize("tools", [None, "", "  ", [], float("nan")])
def test_no_tools_are_none(tools: Any) -> None:
    assert record_of({"messages": [USER, ANSWER], "tools": tools}, "messages").tools is None


# ShareGPT


def test_sharegpt_names_its_roles_in_its_own_way() -> None:
    row = {
        "system": "Be brief.",
        "tools": '[{"name": "find"}]',
        "conversations": [
            {"from": "human", "value": "Where is order 17?"},
            {"from": "function_call", "value": '{"name": "find", "arguments": {"n": 17}}'},
            {"from": "observation", "value": '{"state": "sent"}'},
            {"from": "gpt", "value": "On its way."},
        ],
    }
    record = record_of(row, "sharegpt")
    assert turns(record) == [
        ("system", "Be brief."),
        ("user", "Where is order 17?"),
        ("assistant", ""),
        ("tool", '{"state": "sent"}'),
        ("assistant", "On its way."),
    ]
    assert json.loads(record.messages[2].more or "")["tool_calls"][0]["function"]["name"] == "find"
    assert record.tools == '[{"name":"find"}]'


def test_sharegpt_and_openai_spellings_of_one_conversation_are_one_row() -> None:
    theirs = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    ours = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    assert (
        record_of({"conversations": theirs}, "sharegpt").id
        == record_of({"conversations": ours}, "sharegpt").id
        == record_of({"messages": ours}, "messages").id
        == record_of({"prompt": "Hi", "completion": "Hello"}, "prompt_completion").id
        == record_of({"input": "Hi", "output": "Hello"}, "input_output").id
    )


def test_a_conversation_of_its_own_system_prompt_keeps_it() -> None:
    spoken = [{"from": "system", "value": "Rhyme."}, {"role": "user", "content": "Hi"}, ANSWER]
    row = {"system": "Be brief.", "conversations": spoken}
    assert turns(record_of(row, "sharegpt"))[0] == ("system", "Rhyme.")


# Prompt and completion, input and output, text


def test_prompt_and_completion_may_be_texts_or_messages() -> None:
    for prompt in (USER["content"], [USER]):
        for completion in (ANSWER["content"], [ANSWER]):
            row = {"prompt": prompt, "completion": completion}
            assert turns(record_of(row, "prompt_completion")) == [
                ("user", "Where is order 17?"),
                ("assistant", "On its way."),
            ]
    assert reason({"prompt": [USER], "completion": [USER]}, "prompt_completion") == "no_answer"
    assert reason({"prompt": "a"}, "prompt_completion") == "missing_completion"
    assert reason({"prompt": 3, "completion": "a"}, "prompt_completion") == "wrong_type"


def test_plain_text_is_an_answer_that_nobody_asked_for() -> None:
    assert turns(record_of({"text": "帐篷要晾干。"}, "text")) == [("assistant", "帐篷要晾干。")]
    assert turns(record_of({"prompt": "", "completion": "a"}, "prompt_completion")) == [
        ("assistant", "a")
    ]
    assert reason({"text": None}, "text") == "missing_text"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"input": "a"}, "missing_output"),
        ({"output": "a"}, "missing_input"),
        ({"input": ["a"], "output": "b"}, "wrong_type"),
    ],
)
def test_each_misfit_of_input_and_output_has_one_reason(row: dict[str, Any], code: str) -> None:
    assert reason(row, "input_output") == code


# Labels


@pytest.mark.parametrize(
    ("label", "answer"),
    [("退款", "退款"), (3, "3"), (0, "0"), (True, "true"), (2.0, "2"), (0.5, "0.5")],
)
def test_a_label_is_the_answer_and_a_tag(label: Any, answer: str) -> None:
    record = record_of({"input": "钱什么时候退？", "label": label, "intent": "x"}, "input_label")
    assert record.answer == answer
    assert record.tags == (("intent", "x"), ("label", answer))


def test_a_classified_text_may_be_in_text_and_have_an_instruction() -> None:
    row = {"instruction": "Which one?", "text": "great tent", "label": "positive"}
    assert record_of(row, "input_label").question == "Which one?\ngreat tent"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"input": "a"}, "missing_label"),
        ({"input": "a", "label": None}, "missing_label"),
        ({"input": "a", "label": ["b"]}, "wrong_type"),
        ({"label": "b"}, "missing_input"),
        ({"text": None, "label": "b"}, "missing_text"),
    ],
)
def test_each_misfit_of_input_and_label_has_one_reason(row: dict[str, Any], code: str) -> None:
    assert reason(row, "input_label") == code


# Tags and times


def test_tags_are_sorted_and_numbers_and_truth_values_are_text() -> None:
    row = PAIR | {"intent": True, "contributor": 17, "other": "x"}
    assert record_of(row, "alpaca").tags == (("contributor", "17"), ("intent", "true"))


@pytest.mark.parametrize("nothing", [None, "", float("nan")])
def test_a_tag_without_a_value_is_no_tag(nothing: Any) -> None:
    assert record_of(PAIR | {"intent": nothing}, "alpaca").tags == ()


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-09-01T08:30:00+08:00", "2026-09-01T00:30:00+00:00"),
        ("2026-09-01T08:30:00Z", "2026-09-01T08:30:00+00:00"),
        ("2026-09-01 08:30:00", "2026-09-01T08:30:00+00:00"),
        ("2026-09-01", "2026-09-01T00:00:00+00:00"),
        (1_788_220_800, "2026-09-01T00:00:00+00:00"),
        (1_788_220_800_500, "2026-09-01T00:00:00.500000+00:00"),
        ("1788220800", "2026-09-01T00:00:00+00:00"),
        (datetime(2026, 9, 1, tzinfo=UTC), "2026-09-01T00:00:00+00:00"),
        ("yesterday", None),
        (12.5, None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        ("0001-01-01T00:00:00+14:00", None),
        (["2026-09-01"], None),
    ],
)
def test_times_are_told_in_utc_and_what_is_no_time_is_left_out(written: Any, utc: str) -> None:
    for name in ("received_at", "timestamp", "created_at"):
        assert record_of(PAIR | {name: written}, "alpaca").received_at == utc


def test_the_first_field_that_is_a_time_counts() -> None:
    row = PAIR | {"timestamp": 3, "created_at": "2026-09-02", "received_at": "soon"}
    assert record_of(row, "alpaca").received_at == "2026-09-02T00:00:00+00:00"


# Anything at all

NAMES = st.sampled_from(
    [
        *("instruction", "input", "output", "system", "history", "messages", "conversations"),
        *("prompt", "completion", "text", "label", "intent", "received_at", "role", "from"),
        *("content", "value", "tools", "tool_calls", "function", "name", "arguments", "type"),
    ]
)
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=9)
WORDS = st.sampled_from(["user", "assistant", "gpt", "function_call", "tool", "system", "[]", "{}"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
FORMS: list[Form] = ["alpaca", "prompt_completion", "messages", "sharegpt", "text"]


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, VALUES, max_size=6))
def test_any_row_is_a_canonical_record_or_a_reject_in_every_form(values: dict[str, Any]) -> None:
    for form in (*FORMS, "input_output", "input_label"):
        found = converter(form, None, ("intent",))(RawRow(values, 1, 0, "x"), "a")
        if isinstance(found, Reject):
            assert found.reason
            continue
        assert found.messages[-1].role == "assistant"
        assert "system" not in [message.role for message in found.messages[1:]]
        assert records_of(table_of([found])) == [found]
        assert isinstance(found, Record)
