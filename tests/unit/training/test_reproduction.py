"""How far off a second training is, and which recorded facts differ. Nothing here trains."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import sluice
from sluice.recipe import Recipe
from sluice.refs import DatasetRef
from sluice.training import provenance as made_with
from sluice.training.base_model import BaseModel
from sluice.training.provenance import environment_here, held_out_digests, provenance
from sluice.training.reproduction import (
    Changed,
    Off,
    Reproduction,
    changed_facts,
    compared_stages,
    largest_difference,
)


def shard(path: Path, **tensors: torch.Tensor) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def test_the_largest_difference_is_found_over_all_shards_however_they_are_cut(
    tmp_path: Path,
) -> None:
    a, b = torch.zeros(3), torch.arange(6.0).reshape(2, 3).to(torch.bfloat16)
    shard(tmp_path / "one" / "model.safetensors", a=a, b=b)
    shard(tmp_path / "two" / "model-1.safetensors", a=a - 0.25)
    shard(tmp_path / "two" / "model-2.safetensors", b=b + 1)
    assert largest_difference(tmp_path / "one", tmp_path / "two") == 1.0
    assert largest_difference(tmp_path / "one", tmp_path / "one") == 0.0


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"a": torch.zeros(3)}, 0.0),
        ({"a": torch.zeros(4)}, math.inf),
        ({"b": torch.zeros(3)}, math.inf),
        ({"a": torch.zeros(3), "b": torch.zeros(1)}, math.inf),
        ({"a": torch.tensor([0.0, math.nan, 9.0])}, math.nan),
    ],
)
def test_what_cannot_be_compared_is_infinitely_far_and_nan_stays_nan(
    tmp_path: Path, other: dict[str, torch.Tensor], expected: float
) -> None:
    first = shard(tmp_path / "first.safetensors", a=torch.zeros(3))
    found = largest_difference(first, shard(tmp_path / "second.safetensors", **other))
    assert found == expected or (math.isnan(found) and math.isnan(expected))


def test_a_folder_without_tensors_is_no_match_for_another(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert largest_difference(tmp_path / "a", tmp_path / "a") == math.inf


@pytest.mark.parametrize(
    ("off", "within"),
    [
        (Off(1e-4, 1e-3, None), True),
        (Off(1e-4, 1e-3, 2e-3), False),
        (Off(math.nan, 0.0, 0.0), False),
        (Off(0.0, math.inf, 0.0), False),
    ],
)
def test_within_the_tolerance_means_all_of_it(off: Off, *, within: bool) -> None:
    found = Reproduction("3", "a", "b", (), off, (), 1e-3)
    assert found.reproduced == within
    json.dumps(found.to_json(), allow_nan=False)


def test_equal_bytes_are_reproduced_at_any_tolerance() -> None:
    assert Reproduction("3", "a", "a", (), None, (), 0.0).reproduced


def test_the_first_stage_that_differs_is_named() -> None:
    def data(**digests: str) -> dict[str, Any]:
        names = ("raw", "checked", "cleaned", "compared", "curated", "contracted")
        return {
            name: [{"uri": "u", "digest": digests.get(name, name), "rows": 1}] for name in names
        }

    stages = compared_stages(data(), data(compared="x", contracted="y"))
    assert dict(stages)["cleaned"]
    assert Reproduction("3", "a", "b", stages, None, (), 0.0).first_other == "compared"


def test_facts_that_differ_are_told_by_their_place() -> None:
    then = {"recipe": {"training": {"threads": 1, "rank": 4}}, "data": 1, "start": None}
    now = {"recipe": {"training": {"threads": 2, "rank": 4}}, "data": 2, "code": {"commit": "c"}}
    assert list(changed_facts(then, now)) == [
        Changed("code.commit", None, "c"),
        Changed("recipe.training.threads", 1, 2),
    ]


# What is recorded


def test_the_environment_is_told_without_loading_what_costs_seconds() -> None:
    facts = environment_here()
    assert facts["versions"]["sluice"] == sluice.__version__
    assert {"python", "torch", "transformers", "trl", "peft", "datasets"} <= facts[
        "versions"
    ].keys()
    assert facts["machine"]["memory_bytes"] > 0
    assert facts["machine"]["processor"]
    assert facts["threads"]["torch"] == torch.get_num_threads()
    json.dumps(facts)


def test_a_checkout_is_told_with_its_commit_and_whether_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "sluice" / "__init__.py"
    package.parent.mkdir()
    package.write_text("")
    monkeypatch.setattr(made_with.sluice, "__file__", str(package))
    assert made_with.code() is None

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", str(tmp_path), *who, *arguments], check=True)

    git("init", "-q")
    assert made_with.code() is None  # no commit yet
    git("add", ".")
    git("commit", "-qm", "first")
    found = made_with.code()
    assert found is not None
    assert len(found["commit"]) == 40
    assert found["changed"] is False
    package.write_text("x = 1\n")
    assert made_with.code() == {**found, "changed": True}


def recipe(**data: Any) -> Recipe:
    sections = {"model": {"name": "shop", "base": "./base"}, "data": data}
    return Recipe.model_validate(sections)


def test_passwords_in_addresses_are_left_out(tmp_path: Path) -> None:
    source = {
        "name": "shop",
        "query": "SELECT 1",
        "database": "postgresql://anna:s3cret@db.example.org/shop",
    }
    asked = recipe(evaluation_share=0.1, sources=[source])
    dataset = DatasetRef("contracted/d", "d", 3)
    base = BaseModel("./base", tmp_path, "b")
    facts = provenance(dataset, asked, base, None, None, made_with.Lake(tmp_path))
    assert "s3cret" not in json.dumps(facts)
    (kept,) = facts["recipe"]["data"]["sources"]
    assert kept["database"] == "postgresql://***@db.example.org/shop"
    Recipe.model_validate(facts["recipe"])  # and it is still a recipe
    assert (facts["data"], facts["start"], facts["base"]) == (None, None, "b")


def test_held_out_files_are_told_by_their_bytes(tmp_path: Path) -> None:
    there = tmp_path / "评估.jsonl"
    there.write_text("{}\n", encoding="utf-8")
    asked = recipe(evaluation=there, guards=[tmp_path / "gone.jsonl"])
    found = held_out_digests(asked)
    assert len(found[str(there)] or "") == 64
    assert found[str(tmp_path / "gone.jsonl")] is None
