"""The data steps on the Chinese example, as its recipe says, without a server or a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from sluice.data.parts import read_records
from sluice.data.record import Record
from sluice.recipe_file import load_recipe
from tests.unit.data.planted import FATES, MASKED, months, planted
from tests.unit.data.preparing import Outcome, prepare

RECIPE = Path(__file__).parents[2] / "recipes" / "kefu.yaml"

pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations


def byte_tokenizer(folder: Path) -> Path:
    """A tokenizer.json in which each byte is a token: three for a Chinese character."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Both months, from landing file to contracted rows."""
    folder = tmp_path_factory.mktemp("kefu")
    tokenizer = byte_tokenizer(folder)
    return prepare(folder, months("kefu"), load_recipe(RECIPE), tokenizer=tokenizer)


def rows_of(prepared: Outcome, side: str) -> Sequence[Record]:
    return read_records(prepared.lake.path(prepared.trail.contracted) / side)


def test_the_shipped_recipe_trains_on_enough_rows(prepared: Outcome) -> None:
    assert prepared.trail.contracted.rows >= 150
    assert len(rows_of(prepared, "evaluation")) == 70
    assert rows_of(prepared, "validation")


def test_planted_dirt_is_rejected_dropped_or_quarantined_with_its_reason(prepared: Outcome) -> None:
    fates = prepared.fates()
    for kind, fate in FATES.items():
        if kind != "other_language":  # the recipe has no filter of languages
            assert {fates[place] for place in planted("kefu", kind)} == {fate}, kind


def test_no_markup_or_control_character_reaches_training(prepared: Outcome) -> None:
    for row in rows_of(prepared, "train"):
        text = row.question + row.answer
        assert not re.search("</?[a-z]|&[a-z]+;", text), text
        assert not [c for c in text if ord(c) < 32 and c not in "\n\t"]


def test_no_telephone_number_and_no_address_reaches_training(prepared: Outcome) -> None:
    rows = [row for side in ("train", "validation") for row in rows_of(prepared, side)]
    masked = {(row.source, row.line) for row in rows if "[PHONE]" in row.question + row.answer}
    assert masked == planted("kefu", MASKED)
    assert not [row for row in rows if re.search(r"1[35]\d{9}|@", row.question + row.answer)]


def test_full_width_punctuation_stays(prepared: Outcome) -> None:
    rows = rows_of(prepared, "train")
    assert sum("，" in row.answer for row in rows) > len(rows) / 2


def test_each_row_is_kept_or_gone_with_a_reason(prepared: Outcome) -> None:
    for before, after in pairwise(prepared.stages):
        left = sum(rows for _, rows in after.reasons)
        assert before.rows - left == after.rows, (before, after)


def test_data_docs_tell_of_each_contract(prepared: Outcome) -> None:
    docs = prepared.folder.parent / "docs"
    for contract in ("raw_records", "curated_examples", "training_examples", "evaluation_rows"):
        assert (docs / contract / "index.html").exists(), contract
