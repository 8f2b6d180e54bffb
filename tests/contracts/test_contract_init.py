"""`sluice contract init`: the proposal can be used, and would have passed what it was made from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from contracts.stored_rows import stored
from typer.testing import CliRunner

from commands.contract import app
from data_contracts.proposal import propose
from data_contracts.sample import read_sample
from data_contracts.steps import raw_contract_step, training_contract_step
from sluice.data.record import records_of
from sluice.errors import BatchError
from sluice.lake import Lake
from sluice.recipe_file import load_recipe

REPOSITORY = Path(__file__).parents[2]
SHOPS = ("customer_service", "kefu")


def shipped_recipe(folder: Path, shop: str, contract: str = "") -> Path:
    """The shipped recipe with another contract, beside its held-out rows."""
    text = (REPOSITORY / "recipes" / f"{shop}.yaml").read_text(encoding="utf-8")
    before, _, rest = text.partition("\ncontract:")
    _, _, after = rest.partition("\n\n")
    path = folder / "recipes" / f"{shop}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before}\n{contract}\n{after}", encoding="utf-8")
    held_out = folder / "examples" / shop / "evaluation.jsonl"
    held_out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REPOSITORY / "examples" / shop / "evaluation.jsonl", held_out)
    return path


@pytest.mark.parametrize("shop", SHOPS)
def test_the_proposal_passes_the_sample_and_the_month_after_it(shop: str, tmp_path: Path) -> None:
    months = [REPOSITORY / "examples" / shop / f"2026-{month}.jsonl" for month in ("09", "10")]
    plain = load_recipe(shipped_recipe(tmp_path, shop))
    first, second = (read_sample(plain, tmp_path, str(month), tmp_path) for month in months)
    recipe = load_recipe(shipped_recipe(tmp_path, shop, propose(first)))
    assert len(recipe.contract.expectations) >= 3
    lake, docs = Lake(tmp_path / "lake"), tmp_path / "docs"
    for sample in (first, second):
        raw_contract_step(stored(lake, records=sample.raw), recipe, lake, docs)
        facts = {"rows_in": len(sample.raw), "gone": sample.gone}
        kept = list({record.id: record for record in records_of(sample.kept)}.values())
        given = stored(lake, train=kept[9:], validation=[], evaluation=kept[:9])
        contracted = training_contract_step(given, recipe, lake, None, docs, facts=facts)
        verdict = json.loads((lake.path(contracted) / "contract.json").read_text(encoding="utf-8"))
        broken = [
            one["expectation"]
            for one in verdict["curated_examples"]["expectations"]
            if not one["success"]
        ]
        assert broken == []


def test_what_was_measured_stands_in_comments(tmp_path: Path) -> None:
    recipe = shipped_recipe(tmp_path, "customer_service")
    month = REPOSITORY / "examples" / "customer_service" / "2026-09.jsonl"
    output = tmp_path / "expectations.yaml"
    done = CliRunner().invoke(
        app, ["init", str(recipe), "--from", str(month), "--output", str(output)]
    )
    assert done.exit_code == 0, done.output
    text = output.read_text(encoding="utf-8")
    assert "rows of 2026-09.jsonl" in text
    assert "measured: 1 % below" in text
    assert "value_set: [accounts," in text
    printed = CliRunner().invoke(app, ["init", str(recipe), "--from", str(month)])
    assert printed.stdout == text


def test_odd_tags_are_spelled_so_that_yaml_reads_them_back(tmp_path: Path) -> None:
    file = tmp_path / "odd.jsonl"
    values = ("no", "a: b", '"', "7", "退货", "x#y")
    lines = [
        {"instruction": f"Question {i}?", "output": f"Answer number {i}.", "intent": values[i % 6]}
        for i in range(60)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    plain = load_recipe(shipped_recipe(tmp_path, "customer_service"))
    text = propose(read_sample(plain, tmp_path, str(file), tmp_path))
    recipe = load_recipe(shipped_recipe(tmp_path, "customer_service", text))
    (found,) = [e for e in recipe.contract.expectations if e.columns == ("tag_intent",)]
    assert found.arguments["value_set"] == sorted(values)


def test_tags_that_name_people_are_not_listed(tmp_path: Path) -> None:
    file = tmp_path / "named.jsonl"
    lines = [
        {"instruction": f"Question {i}?", "output": f"Answer {i}, so.", "contributor": f"jane{i}"}
        for i in range(40)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    plain = load_recipe(shipped_recipe(tmp_path, "customer_service"))
    assert "jane" not in propose(read_sample(plain, tmp_path, str(file), tmp_path))


def test_nothing_to_sample_is_an_error(tmp_path: Path) -> None:
    plain = load_recipe(shipped_recipe(tmp_path, "customer_service"))
    with pytest.raises(BatchError, match="Name a file with --from"):
        read_sample(plain, tmp_path, None, tmp_path / "landing")
