"""The data steps on the Chinese example, as its recipe says, without a server or a model."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from data_contracts.steps import raw_contract_step, training_contract_step
from sluice.data.curate import clean_step, read_split, split_step
from sluice.data.funnel import Trail, funnel
from sluice.data.ingest import ingest_file, snapshots
from sluice.data.json_lines import read_json_lines
from sluice.lake import Lake
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "recipes" / "kefu.yaml"
DATA = ROOT / "examples" / "kefu"
MONTHS = ("2026-09.jsonl", "2026-10.jsonl")

pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations


@dataclass(frozen=True)
class Prepared:
    """Both months, from landing file to contracted rows."""

    lake: Lake
    recipe: Recipe
    trail: Trail
    docs: Path


def byte_tokenizer(folder: Path) -> Path:
    """A tokenizer.json in which each byte is a token: three for a Chinese character."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("kefu")
    recipe, lake, docs = load_recipe(RECIPE), Lake(folder / "lake"), folder / "docs"
    tokenizer = byte_tokenizer(folder)
    for month in MONTHS:
        ingest_file(DATA / month, lake, max_reject_share=recipe.data.max_reject_share)
    batches = tuple(snapshots(lake))
    checked = raw_contract_step(batches, recipe, lake, docs)
    cleaned = clean_step(checked, recipe, lake, tokenizer)
    curated = split_step(cleaned, recipe, RECIPE.parent, lake, tokenizer)
    contracted = training_contract_step(curated, recipe, lake, tokenizer, docs)
    return Prepared(lake, recipe, Trail(batches, checked, cleaned, curated, contracted), docs)


def planted(kind: str) -> set[tuple[str, int]]:
    """Where a kind of dirt lies, as file and line; of a pair, the later one."""
    dirt: dict[str, dict[str, list[Any]]] = json.loads((DATA / "dirt.json").read_text())
    return {
        (month, place[0] if isinstance(place, list) else place)
        for month in MONTHS
        for place in dirt[month][kind]
    }


def test_the_shipped_recipe_trains_on_enough_rows(prepared: Prepared) -> None:
    assert prepared.trail.contracted.rows >= 150
    folder = prepared.lake.path(prepared.trail.contracted)
    assert len(read_split(folder, "evaluation")) == 70
    assert read_split(folder, "validation")


def test_planted_dirt_is_rejected_or_dropped_with_its_reason(prepared: Prepared) -> None:
    rejects = [
        row
        for batch in prepared.trail.snapshots
        for row in read_json_lines(prepared.lake.path(batch) / "rejects.jsonl")
    ]
    drops = read_json_lines(prepared.lake.path(prepared.trail.cleaned) / "dropped.jsonl")
    gone = {(row["source"], row["line"]): row["reason"] for row in [*rejects, *drops]}
    for kind, reason in {
        "truncated_json": "not_json",
        "missing_output": "missing_output",
        "wrong_type": "wrong_type",
        "empty_output": "answer_empty",
        "short_output": "answer_too_short",
        "over_long": "too_many_characters",
        "exact_duplicate": "exact_duplicate",
    }.items():
        assert {gone.get(place) for place in planted(kind)} == {reason}, kind


def test_no_markup_or_control_character_reaches_training(prepared: Prepared) -> None:
    rows = read_split(prepared.lake.path(prepared.trail.contracted), "train")
    for row in rows:
        text = row.question + row.answer
        assert not re.search("</?[a-z]|&[a-z]+;", text), text
        assert not [c for c in text if ord(c) < 32 and c not in "\n\t"]


def test_full_width_punctuation_stays(prepared: Prepared) -> None:
    rows = read_split(prepared.lake.path(prepared.trail.contracted), "train")
    assert sum("，" in row.answer for row in rows) > len(rows) / 2


def test_each_row_is_kept_or_gone_with_a_reason(prepared: Prepared) -> None:
    stages = funnel(prepared.trail, prepared.lake)
    for before, after in pairwise(stages):
        left = sum(rows for _, rows in after.reasons)
        assert before.rows - left == after.rows, (before, after)


def test_data_docs_tell_of_both_contracts(prepared: Prepared) -> None:
    for contract in ("raw_records", "training_examples"):
        assert (prepared.docs / contract / "index.html").exists()
