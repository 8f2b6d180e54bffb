"""`sluice run` interrupted, killed, or started twice: told clearly, no strays, and it continues."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from tiny_shop import (
    MONTH_1,
    TinyShop,
    eventually,
    kill,
    nothing_runs,
    processes_of,
    retrain_in,
    trained_steps,
    trainers_of,
    versions_of,
)

from sluice.lake import write_json
from sluice.run_record import RunRecord
from sluice.stack.local import read_stack
from sluice.stack.service import Service

pytestmark = [pytest.mark.server, pytest.mark.filterwarnings("default")]
Retrained = tuple[TinyShop, RunRecord]


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Iterator[TinyShop]:
    """A shop that the tests below interrupt, one after the other."""
    shop = TinyShop.build(tmp_path_factory.mktemp("busy"), tiny_base)
    yield shop
    kill(*processes_of(shop))


def in_training(shop: TinyShop, steps: int) -> subprocess.Popen[str]:
    process = shop.start("run", str(shop.recipe), "--batch", str(MONTH_1))
    eventually(lambda: process.poll() is not None or trained_steps(shop) >= steps, "training")
    assert process.poll() is None, process.communicate()
    return process


def test_a_second_run_is_refused_and_ctrl_c_ends_the_first(busy: TinyShop) -> None:
    first = busy.start("run", str(busy.recipe), "--batch", str(MONTH_1))
    eventually(lambda: trainers_of(busy), "training process")
    started = time.monotonic()
    second = busy.run("run", str(busy.recipe))
    assert second.returncode == 1
    assert f"Another run of {busy.home.root} is under way (process {first.pid})" in second.stderr
    assert second.stderr.count("\n") <= 2
    assert time.monotonic() - started < 10

    eventually(lambda: trained_steps(busy) >= 6, "first checkpoint")
    first.send_signal(signal.SIGINT)
    out, err = first.communicate(timeout=60)
    assert first.returncode == 130
    assert err.strip() == "Interrupted. Finished steps are kept; the same command continues."
    assert "Traceback" not in out
    assert nothing_runs(busy)
    (record,) = busy.records()
    assert record.outcome == "failed"
    assert "interrupted" in record.detail
    assert versions_of(busy) == {}


def test_kill_9_of_the_command_leaves_no_training_behind(busy: TinyShop) -> None:
    before = trained_steps(busy)
    process = in_training(busy, before + 8)
    process.kill()
    process.communicate()
    eventually(lambda: not trainers_of(busy), "end of the training process", seconds=2)
    assert busy.status()["last_runs"][0]["outcome"] == "failed"
    assert "was killed" in busy.records()[0].detail
    assert versions_of(busy) == {}


def test_its_prefect_server_is_known_and_taken_over(busy: TinyShop, retrained: Retrained) -> None:
    left = read_stack(busy.home).services
    assert list(left) == ["prefect"]
    record = json.loads(busy.ok("run", str(busy.recipe), "--batch", str(MONTH_1), "--json"))
    assert record["outcome"] == "awaiting approval", record["detail"]
    starts = [event for event in busy.history(busy.records()[0]) if event["kind"] == "start"]
    assert starts[-1]["resumed_from_step"] >= 5
    assert record["model_digest"] == retrained[1].model_digest
    assert nothing_runs(busy)


def test_a_port_in_use_is_told_and_nothing_stays_up(shop: TinyShop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        recipe = shop.write_recipe(serving={"port": port})
        done = shop.run("up", str(recipe))
    assert done.returncode == 1
    assert f"Port {port} for the gateway (`serving.port`) is already in use" in done.stderr
    assert "Traceback" not in done.stderr
    assert nothing_runs(shop)


def test_a_stale_stack_file_names_no_running_server(shop: TinyShop) -> None:
    """A process id that another program has now is not taken for the server that it was."""
    stale = Service("prefect", pid=1, born=1.0, url="http://127.0.0.1:1")
    gone = replace(stale, name="mlflow", pid=2**22 - 1)
    write_json(shop.home.stack_file, {s.name: asdict(s) for s in (stale, gone)})
    assert read_stack(shop.home).services == {}
    assert "nothing was running" in shop.ok("down")


@pytest.mark.usefixtures("prefect_server")
def test_two_runs_in_two_homes_do_not_disturb_each_other(
    shop: TinyShop, tmp_path: Path, tiny_base: Path
) -> None:
    other = TinyShop.build(tmp_path / "other", tiny_base)
    records = [retrain_in(each) for each in (shop, other)]
    assert [record.outcome for record in records] == ["failed", "failed"]  # no data in either
    assert all("nothing to train on" in record.detail for record in records)
