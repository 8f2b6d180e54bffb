"""kill -9 of the training process, and MLflow gone while it trains, in a run in this process."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest
from tiny_shop import (
    MONTH_1,
    TinyShop,
    eventually,
    kill,
    processes_of,
    retrain_in,
    trained_steps,
    trainers_of,
    versions_of,
)

from sluice.run_record import RunRecord
from sluice.stack.local import Stack, save_stack, start_mlflow, wait_for
from sluice.stack.service import Service, stop

pytestmark = [
    pytest.mark.server,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),
]
Retrained = tuple[TinyShop, RunRecord]


@contextmanager
def meanwhile(strike: Callable[[], object]) -> Iterator[None]:
    """Do something in a thread while the block runs; its failure is the test's."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            strike()
        except BaseException as error:  # raised again below, in the test
            failures.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    yield
    thread.join()
    if failures:
        raise failures[0]


def test_a_killed_training_is_told_and_resumes_to_the_same_model(
    shop: TinyShop, retrained: Retrained
) -> None:
    def strike() -> None:
        eventually(lambda: trained_steps(shop) >= 12, "second checkpoint")
        for trainer in trainers_of(shop):
            trainer.send_signal(signal.SIGKILL)

    with meanwhile(strike):
        first = retrain_in(shop, MONTH_1)
    assert first.outcome == "failed"
    assert "was killed (SIGKILL)" in first.detail
    assert "continues from the last checkpoint" in first.detail
    assert versions_of(shop) == {}
    assert trainers_of(shop) == []

    again = retrain_in(shop, MONTH_1)
    assert again.outcome == "awaiting approval", again.detail
    history = shop.history(again)
    assert [e["resumed_from_step"] for e in history if e["kind"] == "start"][-1] >= 10
    steps = [event["step"] for event in history if event["kind"] == "step"]
    assert steps == list(range(1, len(steps) + 1))
    _, uninterrupted = retrained
    assert again.model_digest == uninterrupted.model_digest
    assert len({record.tracking_run_id for record in (first, again)}) == 1


def test_mlflow_killed_while_training_stops_no_training(shop: TinyShop) -> None:
    service = mlflow(shop)
    address = {"MLFLOW_TRACKING_URI": str(service.url)}
    online = TinyShop(shop.root, shop.base, address)
    found = service.process()
    assert found is not None
    command, environment = found.cmdline(), found.environ()

    def strike() -> None:
        eventually(lambda: trained_steps(shop) >= 1, "first step")
        kill(found)

    with meanwhile(strike):
        first = retrain_in(online, MONTH_1)
    assert first.outcome == "failed"
    assert f"MLflow at {service.url} failed" in first.detail
    assert "What was trained and scored is kept" in first.detail
    assert "when MLflow answers, run again to continue" in first.detail
    assert list(shop.home.lake.root.glob("models/*/manifest.json"))  # training went on to its end

    log = (shop.home.logs / "mlflow.log").open("ab")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    born = psutil.Process(server.pid).create_time()
    returned = Service("mlflow", server.pid, born, service.url)
    try:
        wait_for(shop.home, returned)
        again = retrain_in(online, MONTH_1)
    finally:
        stop(returned)
        server.wait()
        log.close()
    assert again.outcome == "awaiting approval", again.detail
    seconds = {step.name: step.seconds for step in again.steps}
    assert seconds["train"] < 5  # it was not trained again
    steps = [event["step"] for event in shop.history(again) if event["kind"] == "step"]
    assert shop.loss_curve(again) == steps
    assert versions_of(shop) == {"challenger": "1"}


def mlflow(shop: TinyShop) -> Service:
    """A real MLflow server over the shop's own store, and nothing else of a stack."""
    service = start_mlflow(shop.home)
    save_stack(shop.home, Stack({"mlflow": service}))
    wait_for(shop.home, service)
    return service


@pytest.fixture(autouse=True)
def nothing_is_left(shop: TinyShop) -> Iterator[None]:
    yield
    kill(*processes_of(shop))
