"""A real Ray cluster of two nodes gives the bytes that this machine gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_contracts.preparation import Preparation
from sluice.data.funnel import Trail
from sluice.data.ingest import ingest_files
from sluice.data.intake.live import live_batches
from sluice.data.many_machines import ManyMachines
from sluice.data.parts import part_files
from sluice.data.reading import sharding
from sluice.lake import Lake
from sluice.recipe import ComputeSection, Recipe
from sluice.recipe_file import load_recipe

ROOT = Path(__file__).parents[2]
MONTHS = [ROOT / "examples" / "customer_service" / f"2026-{month}.jsonl" for month in ("09", "10")]

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[ManyMachines]:
    import ray
    from ray.cluster_utils import Cluster

    nodes: Any = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 200 * 1024**2}
    )
    nodes.add_node(num_cpus=1, object_store_memory=200 * 1024**2)
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    yield ManyMachines(nodes.address)
    ray.shutdown()
    nodes.shutdown()


def node_and_square(number: int) -> tuple[str, int]:
    """Where it ran, and a result."""
    import time

    import ray

    time.sleep(0.5)
    return ray.get_runtime_context().get_node_id(), number * number


def test_both_nodes_work_and_results_come_in_order(cluster: ManyMachines) -> None:
    told: list[tuple[int, int]] = []
    results = cluster.map(node_and_square, range(8), lambda done, of: told.append((done, of)))
    assert [square for _, square in results] == [n * n for n in range(8)]
    assert len({node for node, _ in results}) == 2
    assert told == [(n, 8) for n in range(1, 9)]


def prepared(recipe: Recipe, folder: Path) -> tuple[Trail, Lake]:
    """Both months, cut into many small parts, from files to contracted rows."""
    lake = Lake(folder / "lake")
    preparation = Preparation(recipe, ROOT / "recipes", lake, folder / "docs", None)
    intake = ingest_files(MONTHS, lake, recipe.data, preparation.engine)
    assert not intake.refused
    return preparation.whole(live_batches(lake, recipe.data, datetime.now(UTC))), lake


def test_a_cluster_writes_the_bytes_that_this_machine_writes(
    cluster: ManyMachines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cluster
    monkeypatch.setattr(sharding, "SHARD_BYTES", 8 * 1024)
    recipe = load_recipe(ROOT / "recipes" / "customer_service.yaml")
    elsewhere = recipe.model_copy(update={"compute": ComputeSection(engine="ray")})
    here, lake = prepared(recipe, tmp_path / "here")
    there, _ = prepared(elsewhere, tmp_path / "there")
    assert len(part_files(lake.path(here.compared) / "kept")) > 5
    for field in fields(Trail):
        assert getattr(there, field.name) == getattr(here, field.name), field.name
