from __future__ import annotations

from pathlib import Path

import pytest

from sluice.training.checkpoints import (
    MARKER,
    UNFINISHED,
    checkpoints,
    let_go,
    newest_verified,
    publish,
    seal,
    step_of,
    verifies,
)


def checkpoint(folder: Path, step: int, *, sealed: bool = True) -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    (path / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 4)
    (path / "trainer_state.json").write_text('{"step": 1}')
    if sealed:
        seal(path)
    return path


def test_a_sealed_checkpoint_verifies(tmp_path: Path) -> None:
    assert verifies(checkpoint(tmp_path, 5))


def test_the_newest_by_number_is_resumed_from(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        checkpoint(tmp_path, step)
    assert newest_verified(tmp_path) == tmp_path / "checkpoint-100"
    assert step_of(tmp_path / "checkpoint-100") == 100
    assert step_of(tmp_path / "other") == -1


@pytest.mark.parametrize("damage", ["cut", "flip", "missing", "unsealed", "marker"])
def test_a_damaged_one_is_passed_over_for_an_older_one(tmp_path: Path, damage: str) -> None:
    old, new = checkpoint(tmp_path, 5), checkpoint(tmp_path, 10, sealed=damage != "unsealed")
    weights = new / "adapter_model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-1])
    elif damage == "flip":
        content = bytearray(weights.read_bytes())
        content[500] ^= 1
        weights.write_bytes(content)
    elif damage == "missing":
        weights.unlink()
    elif damage == "marker":
        (new / MARKER).write_text('{"adapter')
    assert not verifies(new)
    assert newest_verified(tmp_path) == old
    assert not new.exists()


def test_with_none_left_training_begins_anew(tmp_path: Path) -> None:
    checkpoint(tmp_path, 5, sealed=False)
    (tmp_path / "request.json").write_text("{}")
    assert newest_verified(tmp_path) is None


def test_what_is_cut_off_while_being_written_is_never_a_checkpoint(tmp_path: Path) -> None:
    checkpoint(tmp_path, 5)
    (tmp_path / UNFINISHED).mkdir()
    cut_off = checkpoint(tmp_path / UNFINISHED, 10, sealed=False)
    (tmp_path / UNFINISHED / "settings.json").write_text("{}")
    assert checkpoints(tmp_path) == [tmp_path / "checkpoint-5"]
    assert newest_verified(tmp_path) == tmp_path / "checkpoint-5"
    assert not cut_off.exists()
    assert (tmp_path / UNFINISHED / "settings.json").exists()


def test_a_published_one_has_its_place_and_verifies_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).mkdir()
    written = checkpoint(tmp_path / UNFINISHED, 10, sealed=False)
    (written / "global_step10").mkdir()
    (written / "global_step10" / "shard").write_bytes(b"1234")
    checkpoint(tmp_path, 10, sealed=False)  # one of the same step that was damaged
    place = publish(written, tmp_path)
    assert place == tmp_path / "checkpoint-10"
    assert verifies(place)
    assert not written.exists()
    (place / "global_step10" / "shard").write_bytes(b"1235")
    assert not verifies(place)


def test_the_newest_and_the_protected_are_kept(tmp_path: Path) -> None:
    (tmp_path / UNFINISHED).mkdir()
    for step in (2, 4, 6, 8, 10):
        checkpoint(tmp_path, step)
    let_go(tmp_path, 2, [4])
    assert [step_of(path) for path in checkpoints(tmp_path)] == [4, 8, 10]
    assert list((tmp_path / UNFINISHED).iterdir()) == []
