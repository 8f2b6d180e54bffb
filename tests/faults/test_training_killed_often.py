"""kill -9 at twenty random moments of one training; what comes out is what never was killed.

The trainer's processes are forked from one that has imported everything, so that twenty of them
cost seconds. Each is a process of its own, and SIGKILL is what ends it.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from children.training import main
from tiny_models import build_tiny_base
from tiny_training import Place, placed, request_for

from sluice.child_process import EVENTS
from sluice.data.json_lines import read_json_lines
from sluice.lake import digest_of, file_digest, read_json
from sluice.recipe_file import load_recipe
from sluice.training.checkpoints import UNFINISHED, checkpoints, verifies

forks = multiprocessing.get_context("forkserver")
KILLS = 20
RECIPE = Path(__file__).parents[2] / "recipes" / "customer_service.yaml"
SEED = int(os.environ.get("SLUICE_TEST_SEED", random.randrange(10**6)))
pytestmark = [pytest.mark.server, pytest.mark.timeout(1800)]


@pytest.fixture(autouse=True)
def _one_that_has_imported_everything(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The server of forks finds the modules that it shall import there, and nowhere else; where it
    # does not find them it goes on without a word.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    forks.set_forkserver_preload(["children.training"])
    yield
    (server,) = (p for p in psutil.Process().children() if "forkserver" in " ".join(p.cmdline()))
    assert server.children() == []


@dataclass
class Struck:
    """How often a training was killed, where, and what it left."""

    digest: str
    facts: dict[str, Any]
    resumed: list[int]
    while_writing: int


class Trainings:
    """Processes that train one request, in one folder each time."""

    def __init__(self, place: Place, folder: Path, **settings: Any) -> None:
        self.work, self.out, self.done = folder / "work", folder / "out", folder / "done.json"
        self.work.mkdir(parents=True)
        self.fields = request_for(place, self.work, self.out, **settings).to_json()

    def start(self) -> Any:
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        process = forks.Process(target=main, args=(self.fields, self.done))
        process.start()
        return process

    def to_the_end(self) -> None:
        process = self.start()
        process.join()
        assert process.exitcode == 0, (self.work / "log.txt").read_text(encoding="utf-8")[-3000:]

    def kill(self, process: Any, moment: random.Random, seconds: float) -> bool:
        """Kill while it loads, trains, or writes a checkpoint. False: it was at its end before."""
        when = moment.choice(["loading", "training", "training", "writing", "writing"])
        if when == "loading":
            process.join(moment.uniform(0, 1))
        else:
            ready = self.writing if when == "writing" else self.training
            wait_until(lambda: not process.is_alive() or ready(), 120)
            process.join(moment.uniform(0, 0.02 if when == "writing" else seconds))
        late = not process.is_alive()
        process.kill()
        process.join()
        return not late

    def training(self) -> bool:
        return (self.work / EVENTS).exists() and (self.work / EVENTS).stat().st_size > 0

    def writing(self) -> bool:
        unfinished = self.work / UNFINISHED
        return unfinished.exists() and any(unfinished.iterdir())

    @property
    def digest(self) -> str:
        files = sorted(path for path in self.out.rglob("*") if path.is_file())
        return digest_of({str(p.relative_to(self.out)): file_digest(p) for p in files})


def wait_until(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.001)


def struck(place: Place, folder: Path, seconds: float, **settings: Any) -> Struck:
    """Kill a training often, and let it come to its end."""
    trainings, moment = Trainings(place, folder, **settings), random.Random(SEED)
    kills = writing = 0
    resumed: list[int] = []
    for _ in range(KILLS):
        process = trainings.start()
        kills += trainings.kill(process, moment, seconds)
        writing += trainings.writing()
        found = [path for path in checkpoints(trainings.work) if verifies(path)]
        assert found == checkpoints(trainings.work)  # whatever has a checkpoint's place is whole
        resumed += [int(path.name.split("-")[1]) for path in found[-1:]]
    trainings.to_the_end()
    assert kills >= KILLS // 2
    return Struck(trainings.digest, read_json(trainings.done), resumed, writing)


def compare(place: Place, folder: Path, **settings: Any) -> None:
    print(f"SLUICE_TEST_SEED={SEED}")  # noqa: T201 (shown where the test fails)
    whole = Trainings(place, folder / "whole", **settings)
    started = time.monotonic()
    whole.to_the_end()
    seconds = 2 * (time.monotonic() - started) / KILLS  # so that the kills reach to the end
    found = struck(place, folder / "killed", seconds, **settings)
    assert found.digest == whole.digest
    assert found.resumed == sorted(found.resumed)  # what was kept once is never lost
    assert found.while_writing > 0
    steps = [
        [(e["step"], e["loss"]) for e in read_json_lines(work / EVENTS) if e["kind"] == "step"]
        for work in (whole.work, folder / "killed" / "work")
    ]
    assert steps[0] == steps[1]


def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    place = placed(tmp_path, build_tiny_base(tmp_path / "base"))
    compare(place, tmp_path, epochs=24, checkpoint_every_steps=1, gradient_accumulation=2)


@pytest.mark.slow
@pytest.mark.model
def test_twenty_kills_of_a_real_training_change_nothing(tmp_path: Path) -> None:
    place = placed(tmp_path, load_recipe(RECIPE).model.base)
    compare(
        place,
        tmp_path,
        epochs=2,
        batch_size=2,
        checkpoint_every_steps=1,
        learning_rate=2e-4,
        rank=8,
    )
