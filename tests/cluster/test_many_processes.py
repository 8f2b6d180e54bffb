"""Two training processes on this machine, over gloo, learn what one learns.

Rows per optimizer step are the same in all of them (2 x 4 or 1 x 4 x 2), and 21 rows do not fill
the last step of an epoch. Losses are fp32; sums of two processes may round otherwise than one's.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_models import build_tiny_base

from sluice.child_process import Event
from sluice.data.parts import write_records
from sluice.data.record import Message, Record, content_id
from sluice.errors import TrainingError
from sluice.lake import Lake
from sluice.recipe import DataSection, ModelSection, Recipe, TrainingSection
from sluice.refs import DatasetRef, ModelRef
from sluice.training.artifact import PROBE, TrainedModel
from sluice.training.loading import load_tokenizer, load_trained
from sluice.training.probe import largest_difference
from sluice.training.train import train_step

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]
ROWS = 21
TOLERANCE = 1e-5
SETTINGS: dict[str, Any] = {
    "learning_rate": 5e-3,
    "epochs": 6,
    "batch_size": 4,
    "rank": 4,
    "alpha": 8,
    "precision": "fp32",
    "threads": 1,
    "checkpoint_every_steps": 4,
}
ONE = {"gradient_accumulation": 2}
TWO = {"launcher": {"kind": "accelerate", "processes": 2}}
RAY = {"launcher": {"kind": "ray", "processes": 2}}


@dataclass(frozen=True)
class Place:
    lake: Lake
    dataset: DatasetRef
    base: Path

    def train(self, settings: dict[str, Any], on_event: Callable[[Event], None]) -> ModelRef:
        recipe = Recipe(
            model=ModelSection(name="shop", base=str(self.base), system_prompt="You sell tents."),
            data=DataSection(evaluation_share=0.1),
            training=TrainingSection(**SETTINGS, **settings),
        )
        return train_step(self.dataset, recipe, self.lake, self.base.parent / "cache", on_event)


def rows(count: int) -> list[Record]:
    chats = [
        (
            Message("user", f"帐篷{n}多少钱？" + " Please tell me." * (n % 3)),
            Message("assistant", f"Tent {n} costs {n * 7} crowns, 请放心."),
        )
        for n in range(count)
    ]
    return [Record(content_id(chat), chat, "made up", n) for n, chat in enumerate(chats, 1)]


def placed(folder: Path, base: Path) -> Place:
    lake = Lake(folder / "lake")
    with lake.aside() as out:
        write_records(out / "train", rows(ROWS))
        write_records(out / "validation", rows(ROWS + 5)[ROWS:])
        dataset = lake.commit(
            out, "contracted", "data", lambda uri, digest: DatasetRef(uri, digest, ROWS)
        )
    return Place(lake, dataset, base)


def losses(events: list[Event], kind: str = "step") -> list[float]:
    return [event["loss"] for event in events if event["kind"] == kind]


def begun(events: list[Event]) -> list[int]:
    """From which steps the attempts went on; the last one's events tell of those before too."""
    return [event["resumed_from_step"] for event in events if event["kind"] == "start"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(scope="module")
def alone(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What one process says."""
    events: list[Event] = []
    placed(tmp_path_factory.mktemp("alone"), base).train(ONE, events.append)
    assert len(losses(events)) == 18
    return events


def require_same_curve(events: list[Event], alone: list[Event]) -> None:
    assert losses(events) == pytest.approx(losses(alone), abs=TOLERANCE)
    # A mean over batches, not over tokens: the batches are others.
    assert losses(events, "validation") == pytest.approx(losses(alone, "validation"), rel=0.02)


def require_whole_model(place: Place, model: ModelRef) -> None:
    folder = place.lake.path(model)
    facts = TrainedModel.read(folder)
    loaded = load_trained(folder, place.base, facts)
    assert largest_difference(loaded, load_tokenizer(place.base), folder / PROBE) == 0.0


def members(module: str = "sluice.training.launch.member") -> dict[int, psutil.Process]:
    """The training processes that this test has started, by number."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.Process().children(recursive=True):
        try:
            if module in process.cmdline():
                found[int(process.environ()["RANK"])] = process
        except psutil.Error:
            continue
    return found


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=10)
    return not alive


@dataclass
class Strike:
    """Does something once, at a step, and remembers which processes there were."""

    step: int
    what: Callable[[dict[int, psutil.Process]], None]
    events: list[Event]
    there: dict[int, psutil.Process] | None = None

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if event["kind"] == "step" and event["step"] >= self.step and self.there is None:
            self.there = members()
            self.what(self.there)


def test_two_processes_learn_what_one_learns(
    alone: list[Event], base: Path, tmp_path: Path
) -> None:
    place = placed(tmp_path, base)
    events: list[Event] = []
    model = place.train(TWO, events.append)
    require_same_curve(events, alone)
    require_whole_model(place, model)
    assert members() == {}


def test_a_killed_process_ends_the_others_and_a_rerun_goes_on_to_the_same_curve(
    alone: list[Event], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.child_process.POLL_SECONDS", 0.005)
    place = placed(tmp_path, base)

    def one(there: dict[int, psutil.Process]) -> None:
        os.kill(there[1].pid, signal.SIGKILL)

    def their_parent(there: dict[int, psutil.Process]) -> None:
        os.kill(there[0].ppid(), signal.SIGKILL)

    first, second, last = Strike(6, one, []), Strike(11, their_parent, []), list[Event]()
    with pytest.raises(TrainingError, match=r"process 1 of 2 .* killed \(SIGKILL\)"):
        place.train(TWO, first)
    assert set(first.there or {}) == {0, 1}
    assert gone(list((first.there or {}).values()))

    with pytest.raises(TrainingError, match="was killed"):
        place.train(TWO, second)
    assert gone(list((second.there or {}).values()))  # they die with the launcher

    place.train(TWO, last.append)
    assert begun(last)[0] == 0 < begun(last)[1] < begun(last)[2] < 18
    require_same_curve(last, alone)


@pytest.mark.slow
def test_ray_learns_what_one_process_learns_and_goes_on_after_a_kill(
    alone: list[Event], base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.child_process.POLL_SECONDS", 0.005)
    place = placed(tmp_path, base)
    events: list[Event] = []

    def kill(event: Event) -> None:
        if event["kind"] == "step" and event["step"] == 6:
            os.kill(_ray_member(), signal.SIGKILL)

    before = psutil.Process().children(recursive=True)
    with pytest.raises(TrainingError, match=r"process [01] of 2 .* was killed \(it"):
        place.train(RAY, kill)
    assert _no_new_processes(before)
    model = place.train(RAY, events.append)
    assert begun(events)[0] == 0 < begun(events)[1] < 18
    require_same_curve(events, alone)
    require_whole_model(place, model)
    assert _no_new_processes(before)


def _ray_member() -> int:
    """The process id of one of Ray Train's workers."""
    return next(
        process.pid
        for process in psutil.Process().children(recursive=True)
        if "RayTrainWorker" in " ".join(process.cmdline())
    )


def _no_new_processes(before: list[psutil.Process]) -> bool:
    for _ in range(100):
        if {*psutil.Process().children(recursive=True)} <= {*before}:
            return True
        time.sleep(0.1)
    return False
