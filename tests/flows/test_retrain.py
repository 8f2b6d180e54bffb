"""The retrain flow on a tiny real model: every outcome has its name, its reason and its traces."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from tiny_shop import MONTH_1, REACHABLE, TinyShop, retrain_in, same_environment_after, versions_of

from sluice.lake import read_json
from sluice.registry.approvals import Approvals
from sluice.registry.connection import client_for
from sluice.registry_location import local_store
from sluice.run_record import RunRecord

pytestmark = [
    pytest.mark.server,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),  # of Prefect and Great Expectations: not ours to mend
]
Retrained = tuple[TinyShop, RunRecord]


def scores_of(shop: TinyShop, record: RunRecord) -> dict[str, dict[str, dict[str, float]]]:
    models: dict[str, dict[str, dict[str, float]]] = read_json(
        shop.home.lake.root / "evidence" / str(record.evidence_digest) / "scores.json"
    )["models"]
    return models


def of_mlflow(shop: TinyShop) -> Any:
    """A client of the shop's own store."""
    with same_environment_after():
        return client_for(local_store(shop.home)[0])


def test_a_candidate_that_passes_waits_for_approval(retrained: Retrained) -> None:
    shop, record = retrained
    assert (record.outcome, record.version) == ("awaiting approval", "1"), record.detail
    (approval,) = Approvals(shop.home.approvals).pending()
    assert approval.evidence_digest == record.evidence_digest
    assert approval.model_digest == record.model_digest
    assert versions_of(shop) == {"challenger": "1"}


def test_every_step_is_told_with_its_time(retrained: Retrained) -> None:
    _, record = retrained
    assert [step.name for step in record.steps] == [
        "ingest",
        "decide",
        "check raw records",
        "clean",
        "measure drift",
        "compare",
        "split",
        "augment",
        "check training examples",
        "train",
        "evaluate and judge",
        "register",
        "ask for approval",
    ]
    assert sum(step.seconds for step in record.steps) <= record.seconds + 1


def test_training_lowered_the_perplexity(retrained: Retrained) -> None:
    models = scores_of(*retrained)
    assert models["candidate"]["perplexity"]["value"] < models["base"]["perplexity"]["value"] / 2


def test_mlflow_has_the_whole_loss_curve_the_scores_and_the_report(retrained: Retrained) -> None:
    shop, record = retrained
    client = of_mlflow(shop)
    run_id = str(record.tracking_run_id)
    curve = client.get_metric_history(run_id, "train/loss")
    steps = [point.step for point in curve]
    assert steps == list(range(1, len(steps) + 1))
    assert len(steps) > 50
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags["sluice.outcome"] == "awaiting approval"
    assert run.data.params["training.rank"] == "4"
    assert run.data.metrics["candidate/perplexity"] < run.data.metrics["base/perplexity"]
    assert "report.html" in {file.path for file in client.list_artifacts(run_id)}


def test_the_version_in_mlflow_is_bound_to_digests(retrained: Retrained) -> None:
    shop, record = retrained
    tags = of_mlflow(shop).get_model_version("tiny-shop", "1").tags
    assert tags["sluice.model_digest"] == record.model_digest
    assert tags["sluice.evidence_digest"] == record.evidence_digest
    for what in ("dataset", "base", "recipe"):
        assert len(tags[f"sluice.{what}_digest"]) == 64


def test_prefect_shows_the_outcome_and_the_artifacts(retrained: Retrained) -> None:
    from prefect import get_client
    from prefect.settings import PREFECT_API_URL

    _, record = retrained
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(record.flow_run_id)  # pyright: ignore[reportArgumentType]
        assert run.state is not None
        assert (run.state.name, run.state.message) == ("Awaiting approval", record.detail)
    asked = {"artifacts": {"flow_run_id": {"any_": [record.flow_run_id]}}}
    found = httpx.post(f"{PREFECT_API_URL.value()}/artifacts/filter", json=asked).json()
    by_key = {artifact["key"]: artifact for artifact in found}
    assert {"rows-tiny-shop", "training-tiny-shop", "evidence-tiny-shop"} <= set(by_key)
    assert by_key["training-tiny-shop"]["data"] == 100.0
    assert "not_json" in json.dumps(by_key["rows-tiny-shop"]["data"])


def test_the_same_again_is_skipped_in_seconds(retrained: Retrained) -> None:
    shop, first = retrained
    again = retrain_in(shop, MONTH_1)
    assert again.outcome == "skipped"
    assert first.run_id in again.detail
    assert [step.name for step in again.steps] == ["ingest", "decide"]
    assert again.seconds < 2


def test_the_command_skips_at_once(retrained: Retrained) -> None:
    shop, _ = retrained
    started = time.monotonic()
    record = json.loads(shop.ok("run", str(shop.recipe), "--json"))
    assert record["outcome"] == "skipped"
    assert time.monotonic() - started < 5  # 0.6 s measured: no server is started for nothing


def test_a_candidate_that_breaks_a_rule_is_rejected_by_the_gate(retrained: Retrained) -> None:
    shop, first = retrained
    rules = [*REACHABLE, {"rule": "at_least", "metric": "bleu", "limit": 99.0}]
    recipe = shop.write_recipe("strict.yaml", gate={"rules": rules})
    record = retrain_in(shop, recipe=recipe)
    assert record.outcome == "rejected by gate", record.detail
    assert "BLEU" in record.detail
    assert record.model_digest == first.model_digest  # the gate changed, not the training
    assert record.version is None
    assert versions_of(shop) == {"challenger": "1"}


def test_too_few_evaluation_rows_are_inconclusive(retrained: Retrained) -> None:
    shop, _ = retrained
    recipe = shop.write_recipe("cautious.yaml", gate={"min_rows": 1000})
    record = retrain_in(shop, recipe=recipe)
    assert record.outcome == "inconclusive"
    assert "1000" in record.detail
    assert record.version is None


def test_the_command_line_has_an_exit_code_for_the_verdict(retrained: Retrained) -> None:
    """The run above judged the same already; the command tells its own outcome, skipped."""
    shop, _ = retrained
    recipe = shop.write_recipe("cautious.yaml", gate={"min_rows": 1000})
    assert "inconclusive" in shop.ok("run", str(recipe))


@pytest.mark.parametrize("name", ["report", "status"])
def test_reading_commands_work_without_a_stack(retrained: Retrained, name: str) -> None:
    shop, _ = retrained
    assert "report.html" in shop.ok(name) or "awaiting approval" in shop.ok(name)


def test_a_home_keeps_to_its_model(retrained: Retrained, tmp_path: Path) -> None:
    shop, _ = retrained
    other = shop.write_recipe("other.yaml", model={"name": "other-shop"})
    done = shop.run("run", str(other))
    assert done.returncode == 2
    assert "belongs to the model tiny-shop" in done.stderr
