from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.advice import advise
from sluice.recipe import DataSection, GateSection, LimitRule, ModelSection, Recipe
from sluice.recipe_file import load_recipe

REPOSITORY = Path(__file__).parents[2]


def recipe(**sections: Any) -> Recipe:
    fields = {
        "model": ModelSection(name="shop", base="b"),
        "data": DataSection(evaluation_share=0.1),
    }
    return Recipe.model_validate({**fields, **sections})


def test_defaults_need_no_advice() -> None:
    assert advise(recipe(), []) == []


@pytest.mark.parametrize("rate", [1e-4, 2e-4, 5e-5, 4e-4])
def test_a_usual_rate_needs_no_advice(rate: float) -> None:
    assert advise(recipe(training={"learning_rate": rate}), []) == []


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"training": {"learning_rate": 1e-3}}, "learning_rate 0.001 is far from what is usual"),
        ({"training": {"learning_rate": 1e-5}}, r"usual for lora \(about 0\.0002\)"),
        ({"training": {"alpha": 4}}, r"alpha 4 is far from 2 x rank \(32\)"),
        ({"training": {"alpha": 128}}, "alpha / rank = 8"),
        ({"training": {"epochs": 20}}, "epochs 20: small data is learned by heart"),
        ({"evaluation": {"max_new_tokens": 999}}, "longer answers are judged than are served"),
        (
            {"gate": GateSection(rules=(LimitRule(rule="at_most", metric="bleu", limit=1),))},
            "compare with no other model",
        ),
    ],
)
def test_what_is_unusual_gets_one_sentence(sections: dict[str, Any], words: str) -> None:
    (sentence,) = advise(recipe(**sections), [])
    with pytest.raises(ValueError, match=words):
        raise ValueError(sentence)


def test_few_rows_are_counted_over_all_files(tmp_path: Path) -> None:
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    for file in files:
        file.write_text("{}\n\n" * 40)
    (sentence,) = advise(recipe(), files)
    assert sentence.startswith("There are 80 lines in 2 files; from fewer than 100 rows")
    files[0].write_text("{}\n" * 60)
    assert advise(recipe(), files) == []


def test_a_short_evaluation_file_is_told_beforehand(tmp_path: Path) -> None:
    held_out = tmp_path / "e.jsonl"
    held_out.write_text("{}\n" * 49)
    (sentence,) = advise(recipe(data=DataSection(evaluation=held_out)), [])
    assert "data.evaluation has 49 lines, gate.min_rows asks for 50" in sentence


def test_the_demo_recipe_is_told_about_its_rate_only() -> None:
    found = load_recipe(REPOSITORY / "recipes/customer_service.yaml")
    batch = REPOSITORY / "examples/customer_service/2026-09.jsonl"
    (sentence,) = advise(found, [batch])
    assert sentence.startswith("training.learning_rate 0.001")
