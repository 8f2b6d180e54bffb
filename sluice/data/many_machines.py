"""The data steps on a Ray cluster, through Ray Data; the extra `sluice-train[ray]` installs it.

Each item is one row of a Ray data set, so its scheduler places the work, retries it when a node
is lost, and limits what is under way. Parts are files, so the lake must lie where all nodes reach
it, under the same path.
"""

from __future__ import annotations

import importlib
import logging
import pickle
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import cloudpickle  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.compute import Done, uninterrupted, untold
from sluice.errors import SluiceError

T = TypeVar("T")
R = TypeVar("R")

cloud: Any = cloudpickle  # not typed


class ManyMachines:
    """Runs functions on a Ray cluster. The results are the bytes that one machine would give."""

    def __init__(self, address: str | None) -> None:
        """Connect to the cluster at `address`; None starts or finds one by Ray's own rules.

        Raises:
            SluiceError: Ray is not installed, or the cluster does not answer.
        """
        self._ray = _connected(address)

    def map(self, function: Callable[[T], R], items: Sequence[T], done: Done = untold) -> list[R]:
        """The result of each item."""
        if not items:
            return []
        rows = [{"number": i, "item": pickle.dumps(item)} for i, item in enumerate(items)]
        data = self._ray.data.from_items(rows, override_num_blocks=len(rows))
        results: dict[int, R] = {}
        for row in data.map(_Call(cloud.dumps(function))).iter_rows():
            results[row["number"]] = pickle.loads(row["result"])
            done(len(results), len(items))
        return [results[i] for i in range(len(items))]


class _Call:
    """Calls a function of one item on whichever node the row is."""

    def __init__(self, pickled: bytes) -> None:
        self._pickled = pickled

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        result = uninterrupted(pickle.loads(self._pickled), pickle.loads(row["item"]))
        return {"number": row["number"], "result": pickle.dumps(result)}


def _connected(address: str | None) -> Any:
    try:
        ray: Any = importlib.import_module("ray")
        data: Any = importlib.import_module("ray.data")
    except ImportError as error:
        raise SluiceError(
            "compute.engine is `ray`, but Ray is not installed. "
            "Run `pip install 'sluice-train[ray]'`, or set compute.engine to `local`."
        ) from error
    try:
        if not ray.is_initialized():
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except ConnectionError as error:
        raise SluiceError(
            f"No Ray cluster answers at {address}: {error}. Start one (`ray start --head`), or "
            "set compute.engine to `local`."
        ) from error
    logging.getLogger("ray.data").setLevel(logging.WARNING)  # it tells of each pass
    data.DataContext.get_current().enable_progress_bars = False
    return ray
