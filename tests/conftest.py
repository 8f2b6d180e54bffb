"""What the tests with real servers share. Everything that is started here is stopped here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import psutil
import pytest

if TYPE_CHECKING:
    from tiny_shop import TinyShop

    from sluice.run_record import RunRecord

# Time says nothing on a busy machine, and the first example of some tests compiles kernels.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny random base model."""
    from tiny_models import build_tiny_base

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return build_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """A real Prefect server for flows that run in this process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker
        from prefect.testing.utilities import prefect_test_harness

        with prefect_test_harness(server_startup_timeout=120):
            yield
            for worker in (APILogWorker, EventsWorker):  # the harness waits for them without end
                worker.drain_all(timeout=10)


@pytest.fixture
def shop(tmp_path: Path, tiny_base: Path) -> TinyShop:
    """A shop in which nothing has happened yet."""
    from tiny_shop import TinyShop

    return TinyShop.build(tmp_path, tiny_base)


@pytest.fixture(scope="session")
def retrained(
    tmp_path_factory: pytest.TempPathFactory, tiny_base: Path, prefect_server: None
) -> tuple[TinyShop, RunRecord]:
    """A shop with one finished retrain on the first month, and that run's record."""
    from tiny_shop import MONTH_1, TinyShop, retrain_in

    shop = TinyShop.build(tmp_path_factory.mktemp("retrained"), tiny_base)
    return shop, retrain_in(shop, MONTH_1)


def ends_by_itself(process: psutil.Process) -> bool:
    """Whether it is the tracker of process pools, which goes with its parent and not before."""
    try:
        return "resource_tracker" in " ".join(process.cmdline())
    except psutil.Error:
        return True


@pytest.fixture(scope="session", autouse=True)
def no_strays() -> Iterator[None]:
    """Whatever a failed test left running is ended: each process below this one, by its id."""
    yield
    left = [p for p in psutil.Process().children(recursive=True) if not ends_by_itself(p)]
    for process in left:
        process.terminate()
    _, alive = psutil.wait_procs(left, timeout=10)
    for process in alive:
        process.kill()
