"""Expectations in a recipe: what is misspelt is found before any data is read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from great_expectations.expectations.expectation import (
    ColumnMapExpectation,
    ColumnPairMapExpectation,
    MulticolumnMapExpectation,
)
from great_expectations.expectations.registry import get_expectation_impl

from data_contracts.groups import from_recipe
from sluice.errors import RecipeError
from sluice.recipe import ExpectationSection
from sluice.recipe.expectations import ROW_TYPES, TYPES
from sluice.recipe_file import load_recipe

REGEX = "expect_column_values_to_match_regex"
BETWEEN = "expect_column_values_to_be_between"


def written(folder: Path, expectation: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(
        "model: {name: shop, base: ./base}\n"
        "data: {evaluation: evaluation.jsonl}\n"
        "contract:\n"
        "  expectations:\n"
        f"    - {expectation}\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize(
    ("expectation", "says"),
    [
        (f"{{on: training, type: {REGEX}, column: answer, regex: a}}", "training_examples"),
        (f"{{on: raw_records, type: {REGEX}s, column: answer, regex: a}}", f"`{REGEX}`?"),
        (f"{{on: raw_records, type: {REGEX}, column: anwser, regex: a}}", "`answer`?"),
        (f"{{on: raw_records, type: {REGEX}, colum: answer, regex: a}}", "`column`?"),
        (f"{{on: raw_records, type: {REGEX}, column: answer}}", "needs `regex`"),
        (f"{{on: raw_records, type: {REGEX}, column: answer, regex: '((('}}", "no regular"),
        (f"{{on: raw_records, type: {BETWEEN}, column: characters}}", "would pass anything"),
        (f"{{on: raw_records, type: {BETWEEN}, column: tokens, max_value: 1}}", "later contracts"),
        (
            f"{{on: raw_records, type: {BETWEEN}, column: line, max_value: 1, mostly: 9}}",
            "`mostly` is a share",
        ),
        (
            f"{{on: raw_records, type: {BETWEEN}, column: line, max_value: .inf}}",
            "finite number",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_line(
    expectation: str, says: str, tmp_path: Path
) -> None:
    path = written(tmp_path, expectation)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert says in str(caught.value)
    assert f"{path}:5: contract.expectations.0" in str(caught.value)


def test_a_recipe_is_checked_without_great_expectations(tmp_path: Path) -> None:
    path = written(tmp_path, f"{{on: raw_records, type: {REGEX}, column: tag_intent, regex: a}}")
    code = (
        "import sys; from pathlib import Path; from sluice.recipe_file import load_recipe; "
        f"load_recipe(Path({str(path)!r})); sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", TYPES)
def test_the_words_of_a_type_are_those_of_the_installed_version(name: str) -> None:
    installed: Any = get_expectation_impl(name)
    fields = installed.__fields__
    for word in TYPES[name].split():
        assert word.rstrip("?") in fields, word
    needed = {n for n, f in fields.items() if f.required} - {w.rstrip("?") for w in _words(name)}
    assert not needed
    by_row = (ColumnMapExpectation, ColumnPairMapExpectation, MulticolumnMapExpectation)
    if name in ROW_TYPES:
        assert issubclass(installed, by_row)


def test_what_great_expectations_itself_refuses_names_the_place() -> None:
    section = ExpectationSection.model_validate(
        {"on": "raw_records", "type": BETWEEN, "column": "line", "min_value": "many"}
    )
    with pytest.raises(RecipeError, match=r"contract\.expectations\.0: .*valid float"):
        from_recipe([section], "raw_records")


def _words(name: str) -> list[str]:
    return TYPES[name].split()
