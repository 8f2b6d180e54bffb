from __future__ import annotations

from pathlib import Path

import pytest

from sluice.training.checkpoints import MARKER, newest_verified, seal, step_of, verifies


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
