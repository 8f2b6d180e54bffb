"""A real Ray cluster of two nodes gives the bytes that this machine gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sluice.data.many_machines import ManyMachines

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
