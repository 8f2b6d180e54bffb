"""What goes wrong around a training, with the real process: it recovers, or says what to change."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tiny_models import build_tiny_base
from tiny_training import Place, placed, trainers

from sluice.child_process import Event
from sluice.errors import TrainingError
from sluice.training.checkpoints import UNFINISHED, checkpoints, verifies

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_base(tmp_path_factory.mktemp("tiny") / "base")


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The tiny model makes all its steps in seconds: what is done to it must not come late.
    monkeypatch.setattr("sluice.child_process.POLL_SECONDS", 0.005)
    yield
    assert trainers() == []


def at(kind: str, step: int | None, act: Callable[[int], object]) -> Callable[[Event], None]:
    """Do something to the trainer's process at an event."""

    def on_event(event: Event) -> None:
        if event["kind"] == kind and event.get("step") == step:
            for child in trainers():
                act(child.pid)

    return on_event


def work_of(place: Place) -> Path:
    (work,) = place.lake.root.glob("work/train-*")
    return work


def start_steps(events: list[Event]) -> list[int]:
    return [event["resumed_from_step"] for event in events if event["kind"] == "start"]


def test_one_that_is_asked_to_stop_leaves_the_step_it_was_at(base: Path, tmp_path: Path) -> None:
    place = placed(tmp_path, base)
    stop = at("step", 6, lambda pid: os.kill(pid, signal.SIGTERM))
    with pytest.raises(TrainingError, match=r"asked to stop \(SIGTERM\) and did, after step (\d+)"):
        place.train(stop)
    kept = checkpoints(work_of(place))[-1]
    assert int(kept.name.split("-")[1]) >= 6
    events: list[Event] = []
    model = place.train(events.append)
    assert f"checkpoint-{start_steps(events)[-1]}" == kept.name
    never_stopped = placed(tmp_path / "whole", base)
    assert never_stopped.train().digest == model.digest


def address_space(pid: int, more: int) -> None:
    """Let a process have so many bytes more than it has now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + more
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, limit))


def test_too_little_memory_for_a_batch_makes_smaller_batches(base: Path, tmp_path: Path) -> None:
    place, events = placed(tmp_path, base, 512), list[Event]()
    limit = at("start", None, lambda pid: address_space(pid, 200 * MEGABYTE))

    def on_event(event: Event) -> None:
        events.append(event)
        limit(event)

    # With vectors before each row a batch is padded and computed as a whole; without them the rows
    # of a batch are computed in pieces, and any batch fits.
    model = place.train(on_event, method="prompt", batch_size=512, epochs=4)
    facts = place.lake.manifest(model)["training"]
    batch = facts["effective_batch"]
    assert batch["batch_size"] < 512
    assert batch["rows_per_step"] == 512
    notice = [event["text"] for event in events if event["kind"] == "notice"][-1]
    assert f"`batch_size: {batch['batch_size']}`" in notice
    assert "the same rows at each step" in notice
    assert facts["steps"] == 4


def test_too_little_memory_for_one_row_says_what_to_change(base: Path, tmp_path: Path) -> None:
    place = placed(tmp_path, base)
    limit = at("start", None, lambda pid: address_space(pid, 100_000))
    with pytest.raises(TrainingError, match=r"(?s)one row at a time\. Lower `training\.max_len"):
        place.train(limit, batch_size=1)


def file_size(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (30_000, 30_000))


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of so many bytes, where this process may make one."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_ends_it_with_what_was_saved_before(base: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "900k") as disk:
        place = placed(disk, base)
        with pytest.raises(TrainingError, match=r"disk is full.*Free some space, then run again"):
            place.train(keep_checkpoints=20, checkpoint_every_steps=2)
        found = checkpoints(work_of(place))
        assert found
        assert all(verifies(checkpoint) for checkpoint in found)
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        events: list[Event] = []
        model = place.train(events.append, keep_checkpoints=20, checkpoint_every_steps=2)
        assert f"checkpoint-{start_steps(events)[-1]}" == found[-1].name
        place.lake.verify(model)
        assert not (place.lake.root / "work" / UNFINISHED).exists()


def test_a_file_that_may_not_grow_is_told_like_a_full_disk(base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="disk is full"):
        placed(tmp_path, base).train(at("start", None, file_size))
