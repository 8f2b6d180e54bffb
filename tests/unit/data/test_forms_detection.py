"""The form of rows is told by their columns, or the message says what to write in the recipe."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.forms import detect_form
from sluice.errors import BatchError
from sluice.recipe import MappingSection

TURNS = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
ROWS: dict[str, dict[str, Any]] = {
    "alpaca": {"instruction": "a", "input": "", "output": "b", "intent": "x"},
    "prompt_completion": {"prompt": "a", "completion": "b"},
    "messages": {"messages": TURNS, "tools": None},
    "sharegpt": {"conversations": TURNS, "system": "s", "id": 3},
    "text": {"text": "a", "url": "https://example.org", "id": 3},
    "input_output": {"input": "a", "output": "b"},
    "input_label": {"input": "a", "label": 3},
}


@pytest.mark.parametrize("form", ROWS)
def test_each_form_is_told_by_its_columns(form: str) -> None:
    found = detect_form([ROWS[form]] * 5)
    assert (found.form, found.fit, found.rows, found.share) == (form, 5, 5, 1.0)
    assert all(column in found.told for column in found.columns)


@pytest.mark.parametrize(
    ("row", "form"),
    [
        ({"text": "a", "label": "b"}, "input_label"),
        ({"input": "a", "text": "a", "label": "b"}, "input_label"),
        ({"instruction": "a", "output": "b", "text": "### a ### b"}, "alpaca"),
        ({"prompt": "a", "prompt_id": "x", "messages": TURNS}, "messages"),
        ({"messages": TURNS, "prompt": "a", "completion": None}, "messages"),
        ({"text": "a", "summary": None}, "text"),
    ],
)
def test_a_column_that_another_form_explains_does_not_confuse(
    row: dict[str, Any], form: str
) -> None:
    assert detect_form([row]).form == form


def test_the_form_of_most_rows_counts_and_the_share_that_fits_is_told() -> None:
    broken = {"instruction": "a", "output": 7}
    found = detect_form([ROWS["alpaca"]] * 6 + [broken] + [ROWS["messages"]] * 3)
    assert (found.form, found.share) == ("alpaca", 0.6)
    assert found.told == "alpaca, by the columns instruction, output (6 of the first 10 rows fit)"


def test_only_the_first_rows_are_looked_at() -> None:
    found = detect_form([ROWS["alpaca"]] * 200 + [ROWS["messages"]] * 900)
    assert (found.form, found.rows) == ("alpaca", 200)


@pytest.mark.parametrize(
    "rows",
    [
        [{"messages": TURNS, "prompt": "a", "completion": "b"}],
        [{"input": "a", "output": "b", "label": "c"}],
        [ROWS["alpaca"], ROWS["messages"]],
    ],
)
def test_several_forms_are_an_error_that_names_them(rows: list[dict[str, Any]]) -> None:
    with pytest.raises(BatchError, match=r"several forms, \w+, \w+ .*\n  form: \w+"):
        detect_form(rows)


@pytest.mark.parametrize(
    ("row", "question", "answer"),
    [
        ({"id": 1, "reply": "b", "question": "a"}, "question", "reply"),
        ({"编号": 1, "问题": "a", "回答": "b"}, "问题", "回答"),
        ({"sensor_data": {"rpm": 3}, "diagnosis": "b"}, "sensor_data", "diagnosis"),
        ({"text": "long", "summary": "short"}, "text", "summary"),
        ({"instruction": "a", "output": None}, "instruction", "output"),
        ({"only": "a"}, "only", "only"),
    ],
)
def test_an_unknown_form_is_an_error_that_shows_what_to_write(
    row: dict[str, Any], question: str, answer: str
) -> None:
    with pytest.raises(BatchError) as error:
        detect_form([row], "jan.csv")
    said = str(error.value)
    assert said.startswith("jan.csv: no known form")
    assert ", ".join(row) in said
    recipe = yaml.safe_load(said[said.index("  mapping:") :])
    mapping = MappingSection.model_validate(recipe["mapping"])
    assert mapping.instruction == f"{{{question}}}"
    assert mapping.output == f"{{{answer}}}"


def test_no_rows_and_rows_without_fields_are_an_error() -> None:
    for rows in ([], [{}]):
        with pytest.raises(BatchError, match="no fields"):
            detect_form(rows)


@settings(deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(sorted({c for r in ROWS.values() for c in r})),
            st.none() | st.text(max_size=3) | st.just(TURNS),
            max_size=5,
        )
    )
)
def test_any_rows_have_a_form_or_an_error_and_nothing_else(rows: list[dict[str, Any]]) -> None:
    try:
        found = detect_form(rows)
    except BatchError:
        return
    assert 0 <= found.share <= 1
