"""A training that is stopped anywhere and resumed ends in the bytes of one that never stopped."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from tiny_models import build_tiny_base

from sluice.child_process import EVENTS, Event, EventWriter, set_aside
from sluice.data.json_lines import read_json_lines
from sluice.data.parts import write_records
from sluice.data.record import Message, Record, content_id
from sluice.lake import digest_of, file_digest
from sluice.recipe import TrainingSection
from sluice.training.artifact import ADAPTER, WEIGHTS
from sluice.training.checkpoints import UNFINISHED, checkpoints, step_of
from sluice.training.request import TrainingRequest
from sluice.training.worker import train

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*found in sys.modules.*:RuntimeWarning"),
]
SETTINGS: dict[str, Any] = {
    "learning_rate": 5e-3,
    "epochs": 3,
    "batch_size": 4,
    "gradient_accumulation": 2,  # 22 rows: the last step of an epoch is a smaller one
    "rank": 4,
    "alpha": 8,
    "dropout": 0.1,
    "precision": "fp32",
    "threads": 1,
    "checkpoint_every_steps": 2,
    "evaluate_every_steps": 2,
}
STEPS = 9


class Killed(BaseException):
    """What stands for a kill: nothing in the trainer catches it."""


class Strike(EventWriter):
    """Dies instead of writing the event of a number, counted from 0."""

    def __init__(self, path: Path, at: int | None) -> None:
        super().__init__(path)
        self._left = at
        self.seen: list[Event] = []

    def __call__(self, event: Event) -> None:
        if self._left == 0:
            raise Killed
        if self._left is not None:
            self._left -= 1
        self.seen.append(event)
        super().__call__(event)


def rows(count: int, first: int = 0) -> list[Record]:
    chats = [
        (
            Message("user", f"{n} 号帐篷多少钱？" if n % 2 else f"How much is tent {n}?" * (n % 3)),
            Message("assistant", f"Tent {n} costs {n * 7} crowns."),
        )
        for n in range(first, first + count)
    ]
    return [Record(content_id(chat), chat, "made up", n) for n, chat in enumerate(chats, 1)]


@pytest.fixture(scope="module")
def request_of(tmp_path_factory: pytest.TempPathFactory) -> TrainingRequest:
    folder = tmp_path_factory.mktemp("rows")
    write_records(folder / "train", rows(22))
    write_records(folder / "validation", rows(5, 100))
    return TrainingRequest(
        base="tiny",
        base_folder=str(build_tiny_base(folder / "base")),
        system_prompt="You sell tents.",
        chat_template=None,
        remote_code=False,
        train=str(folder / "train"),
        validation=str(folder / "validation"),
        settings=TrainingSection(**SETTINGS),
        start=None,
        work="",
        out="",
    )


def with_settings(request: TrainingRequest, **changes: Any) -> TrainingRequest:
    return replace(request, settings=TrainingSection(**{**SETTINGS, **changes}))


class Runs:
    """Trainings of one request in one folder, each stopped at an event or not at all."""

    def __init__(self, request: TrainingRequest, folder: Path) -> None:
        self.work, self.out = folder / "work", folder / "out"
        self.work.mkdir(parents=True)
        self.request = replace(request, work=str(self.work), out=str(self.out))
        self.facts: dict[str, Any] = {}
        self.events: list[Event] = []

    def run(self, kill_at: int | None = None) -> Runs:
        shutil.rmtree(self.out, ignore_errors=True)  # as the lake does: each has a new one
        self.out.mkdir()
        set_aside(self.work)
        with contextlib.closing(Strike(self.work / EVENTS, kill_at)) as emit:
            with contextlib.suppress(Killed):
                self.facts = train(self.request.to_json(), emit)
            self.events = emit.seen
        return self

    @property
    def digest(self) -> str:
        part = self.out / (WEIGHTS if self.request.settings.method == "full" else ADAPTER)
        return digest_of({p.name: file_digest(p) for p in part.iterdir()})

    def kept(self) -> list[int]:
        return [step_of(path) for path in checkpoints(self.work)]


@pytest.fixture(scope="module")
def whole(request_of: TrainingRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(request_of, tmp_path_factory.mktemp("whole") / "run").run()


def test_all_events_of_a_step_come_before_its_checkpoint(whole: Runs) -> None:
    told = [(event["kind"], event.get("step")) for event in whole.events]
    assert told[0] == ("start", None)
    expected: list[tuple[str, int | None]] = []
    for step in range(1, STEPS + 1):
        expected.append(("step", step))
        if step % 2 == 0 or step == STEPS:
            expected += [("validation", step), ("checkpoint", step)]
    assert told[1:] == expected


@settings(max_examples=8, phases=[Phase.explicit, Phase.generate])  # shrinking trains for minutes
@given(stops=st.lists(st.integers(1, 19), min_size=1, max_size=2))
def test_killed_at_any_event_and_resumed_it_ends_in_the_same_bytes(
    whole: Runs, tmp_path_factory: pytest.TempPathFactory, stops: list[int]
) -> None:
    runs = Runs(whole.request, tmp_path_factory.mktemp("killed") / "run")
    for stop in stops:
        runs.run(kill_at=stop)
    runs.run()
    assert runs.facts["steps"] == STEPS
    assert runs.digest == whole.digest


def told(runs: Runs, *kinds: str) -> list[tuple[Any, ...]]:
    """What does not depend on the clock, of the events in the file."""
    names = ("kind", "step", "loss", "learning_rate", "grad_norm", "tokens")
    events = read_json_lines(runs.work / EVENTS)
    return [tuple(e.get(name) for name in names) for e in events if e["kind"] in kinds]


@pytest.mark.parametrize(
    "changes",
    [
        {"checkpoint_every_steps": 3, "evaluate_every_steps": None},  # saved at an epoch's end
        {"epochs": 1.5, "evaluate_every_steps": None, "gradient_accumulation": 1},
        {"method": "full", "dropout": 0.0, "learning_rate": 1e-3},
        {"method": "prefix", "dropout": 0.0, "learning_rate": 1e-2},
        {"method": "adalora", "epochs": 5},
    ],
    ids=["epoch", "half an epoch", "full", "prefix", "adalora"],
)
def test_the_history_of_a_resumed_training_has_no_gap_and_no_seam(
    request_of: TrainingRequest, tmp_path: Path, changes: dict[str, Any]
) -> None:
    whole = Runs(with_settings(request_of, **changes), tmp_path / "whole").run()
    runs = Runs(whole.request, tmp_path / "killed").run(kill_at=7).run()
    assert runs.facts["resumed_from_step"] > 0
    assert told(runs, "step", "validation", "checkpoint") == told(
        whole, "step", "validation", "checkpoint"
    )
    assert runs.digest == whole.digest


def test_only_the_newest_checkpoints_and_the_best_one_are_kept(whole: Runs) -> None:
    assert whole.kept() == [8, 9]
    assert list((whole.work / UNFINISHED).iterdir()) == []


# So much for so few rows that validation is best long before the end.
TOO_MUCH = {
    "learning_rate": 0.05,
    "scheduler": "constant_with_warmup",
    "dropout": 0.0,
    "rank": 16,
    "epochs": 16,
    "evaluate_every_steps": 6,
    "checkpoint_every_steps": 4,
}


def validation_losses(runs: Runs) -> dict[int, float]:
    events = read_json_lines(runs.work / EVENTS)
    return {e["step"]: e["loss"] for e in events if e["kind"] == "validation"}


@pytest.fixture(scope="module")
def best_kept(request_of: TrainingRequest, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    changes = {**TOO_MUCH, "keep": "best", "keep_checkpoints": 1, "early_stopping": 2}
    folder = tmp_path_factory.mktemp("best") / "run"
    return Runs(with_settings(request_of, **changes), folder).run()


def test_it_stops_once_validation_has_not_improved_for_so_long(best_kept: Runs) -> None:
    losses = validation_losses(best_kept)
    best = min(losses, key=lambda step: losses[step])
    assert best_kept.facts["steps"] == best + 2 * 6 < 16 * 3
    assert best_kept.kept() == [best, best + 12]


def test_the_weights_with_the_lowest_validation_loss_become_the_model(best_kept: Runs) -> None:
    losses = validation_losses(best_kept)
    best = min(losses, key=lambda step: losses[step])
    assert best_kept.facts["kept_step"] == best
    name = "adapter_model.safetensors"
    saved = load_file(best_kept.out / ADAPTER / name)
    kept = load_file(best_kept.work / f"checkpoint-{best}" / name)
    last = load_file(best_kept.work / f"checkpoint-{best + 12}" / name)
    assert all(torch.equal(saved[key], kept[key]) for key in kept)
    assert not all(torch.equal(saved[key], last[key]) for key in last)


def test_a_training_that_had_stopped_early_does_not_train_on(
    best_kept: Runs, tmp_path: Path
) -> None:
    steps = best_kept.facts["steps"]
    killed = Runs(best_kept.request, tmp_path / "killed")
    end = 1 + len(told(best_kept, "step", "validation", "checkpoint"))
    killed.run(kill_at=end - 1)  # its last checkpoint was published, and not told
    assert killed.kept()[-1] == steps
    killed.run()
    assert (killed.facts["steps"], killed.facts["resumed_from_step"]) == (steps, steps)
    assert killed.digest == best_kept.digest


def test_a_halved_batch_sees_the_same_rows_at_each_step(whole: Runs, tmp_path: Path) -> None:
    smaller = with_settings(whole.request, batch_size=2, gradient_accumulation=4, dropout=0.0)
    larger = with_settings(whole.request, dropout=0.0)
    runs = Runs(smaller, tmp_path / "smaller").run()
    other = Runs(larger, tmp_path / "larger").run()
    losses, expected = ([e[2] for e in told(r, "step")] for r in (runs, other))
    assert losses == pytest.approx(expected, rel=1e-4)
