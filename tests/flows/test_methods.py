"""Month after month: a champion that the next training goes on from, and one of another method."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tiny_shop import MONTH_1, MONTH_2, TinyShop, retrain_in, versions_of

from sluice.home_recipe import settle_in
from sluice.lake import read_json
from sluice.run_record import RunRecord
from sluice.training.artifact import TrainedModel

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("default"),  # of Prefect and Great Expectations: not ours to mend
]
OLDER_SHARE = 0.3
GOES_ON = {"epochs": 2, "start_from": "champion", "replay": {"older_share": OLDER_SHARE}}


@dataclass(frozen=True)
class Months:
    """A champion by LoRA, the candidate that went on from it, and one by IA3 beside them."""

    shop: TinyShop
    champion: RunRecord
    onward: RunRecord
    other: RunRecord

    def manifest(self, record: RunRecord) -> dict[str, Any]:
        """The manifest of the model that a run trained."""
        return read_json(self.folder(record) / "manifest.json")

    def folder(self, record: RunRecord) -> Path:
        return self.shop.home.lake.root / "models" / str(record.model_digest)

    def detail(self, record: RunRecord, step: str) -> str:
        (found,) = [one.detail for one in record.steps if one.name == step]
        return found


@pytest.fixture(scope="module")
def months(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Path, prefect_server: None
) -> Months:
    shop = TinyShop.build(tmp_path_factory.mktemp("months"), tiny_base)
    shop.write_recipe(training={"epochs": 3, "method": "lora"})
    settle_in(shop.home, shop.recipe)
    first = retrain_in(shop, MONTH_1)
    assert first.outcome == "awaiting approval", first.detail
    shop.ok("approve", "1", "--approver", "Ann")
    onward = shop.write_recipe("onward.yaml", training=GOES_ON)
    second = retrain_in(shop, MONTH_2, recipe=onward)
    ia3 = shop.write_recipe("ia3.yaml", training={"method": "ia3", "epochs": 1})
    return Months(shop, first, second, retrain_in(shop, recipe=ia3))


def test_training_goes_on_from_the_champions_weights(months: Months) -> None:
    facts = TrainedModel.read(months.folder(months.onward))
    assert facts.started_from == months.champion.model_digest
    assert facts.method == TrainedModel.read(months.folder(months.champion)).method == "lora"
    events = months.shop.history(months.onward)
    before = [e["loss"] for e in months.shop.history(months.champion) if e["kind"] == "step"]
    after = [e["loss"] for e in events if e["kind"] == "step"]
    assert after[0] < (before[0] + before[-1]) / 2


def test_the_older_rows_have_the_share_that_the_recipe_gives_them(months: Months) -> None:
    training = months.manifest(months.onward)["training"]
    counts = training["replay"]
    assert counts["new"] > 0
    assert counts["older"] > 0
    assert counts["older_left_out"] > 0
    share = counts["older"] / (counts["older"] + counts["new"])
    assert OLDER_SHARE - 0.02 < share <= OLDER_SHARE
    assert TrainedModel.read(months.folder(months.onward)).rows == counts["older"] + counts["new"]
    assert "replay" not in months.manifest(months.champion)["training"]


def test_the_train_step_tells_method_steps_loss_and_rows(months: Months) -> None:
    counts = months.manifest(months.onward)["training"]["replay"]
    told = months.detail(months.onward, "train")
    assert told.startswith("lora, ")
    assert f"{counts['new']} new + {counts['older']} older rows" in told
    assert told.endswith(f"model {str(months.onward.model_digest)[:12]}")
    assert months.detail(months.other, "train").startswith("ia3, ")


@pytest.mark.parametrize("which", ["onward", "other"])
def test_a_candidate_is_judged_against_a_champion_of_any_method(months: Months, which: str) -> None:
    record: RunRecord = getattr(months, which)
    assert record.outcome in ("awaiting approval", "rejected by gate"), record.detail
    evidence = months.shop.home.lake.root / "evidence" / str(record.evidence_digest)
    models = read_json(evidence / "scores.json")["models"]
    first = months.shop.home.lake.root / "evidence" / str(months.champion.evidence_digest)
    before = read_json(first / "scores.json")["models"]["candidate"]
    assert set(models) == {"base", "champion", "candidate"}
    assert models["champion"]["perplexity"] == before["perplexity"]
    assert models["candidate"] != models["champion"]


def test_a_champion_of_another_method_is_no_start(months: Months) -> None:
    changed = {**GOES_ON, "method": "prompt", "replay": {}}
    recipe = months.shop.write_recipe("prompt.yaml", training=changed)
    record = retrain_in(months.shop, recipe=recipe)
    assert record.outcome == "failed"
    assert "training.method: lora then, prompt now" in record.detail
    assert versions_of(months.shop)["champion"] == "1"


@pytest.mark.parametrize("merged", [False, True])
def test_a_version_is_exported(months: Months, merged: bool, tmp_path: Path) -> None:
    out = tmp_path / "exported"
    told = months.shop.ok("export", "1", "--output", str(out), *(["--merged"] if merged else []))
    assert "version 1 (lora) is in" in told
    manifest = json.loads((out / "sluice-export.json").read_text(encoding="utf-8"))
    assert manifest["merged"] is merged
    assert (out / "model.safetensors").exists() is merged
    assert (out / "adapter_config.json").exists() is not merged
    assert set(manifest["files"]) <= {file.name for file in out.iterdir()}
    again = months.shop.run("export", "1", "--output", str(out))
    assert again.returncode == 1
    assert "exists" in again.stderr
