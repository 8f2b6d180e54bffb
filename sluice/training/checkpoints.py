"""Checkpoints that can be trusted after a crash: complete, unchanged, and found again.

The trainer writes a checkpoint into the folder `unfinished`. `publish` lists the digest of each
file in a marker that is written last, brings all of it to the disk, and only then gives it its
place with one rename. Whatever is cut off while being written never has a checkpoint's place, and
one that no longer matches its marker was damaged: neither is resumed from.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from sluice.lake import file_digest, read_json, write_json

MARKER = "sealed.json"
UNFINISHED = "unfinished"
_STEP = re.compile(r"^checkpoint-(\d+)$")


def seal(checkpoint: Path) -> None:
    """Declare a checkpoint complete: all its files, those of folders in it too, are on the disk."""
    found = [p for p in sorted(checkpoint.rglob("*")) if p.is_file() and p.name != MARKER]
    files = {str(path.relative_to(checkpoint)): file_digest(path) for path in found}
    for path in found:
        _to_disk(path)
    write_json(checkpoint / MARKER, files)
    for folder in {path.parent for path in found} | {checkpoint}:
        _to_disk(folder)


def publish(written: Path, folder: Path) -> Path:
    """Seal a written checkpoint and move it to its place in `folder`; returns its new path."""
    seal(written)
    place = folder / written.name
    if place.exists():  # it was damaged, or it would have been resumed from
        shutil.rmtree(place)
    written.rename(place)
    _to_disk(folder)
    return place


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def verifies(checkpoint: Path) -> bool:
    """Whether every file of a sealed checkpoint is there and unchanged."""
    if not (checkpoint / MARKER).exists():
        return False
    try:
        files: dict[str, str] = read_json(checkpoint / MARKER)
    except ValueError:
        return False  # the marker itself was damaged
    return all(
        (checkpoint / name).is_file() and file_digest(checkpoint / name) == digest
        for name, digest in files.items()
    )


def step_of(checkpoint: Path) -> int:
    """The optimizer step of a checkpoint folder, from its name; -1 for any other name."""
    match = _STEP.match(checkpoint.name)
    return int(match.group(1)) if match else -1


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    return sorted((p for p in folder.glob("checkpoint-*") if step_of(p) >= 0), key=step_of)


def newest_verified(folder: Path) -> Path | None:
    """The checkpoint to resume from. Newer ones that do not verify are deleted on the way."""
    drop_unfinished(folder)
    for checkpoint in reversed(checkpoints(folder)):
        if verifies(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def drop_unfinished(folder: Path) -> None:
    """Delete what was being written; where the disk is full, this makes room to say so."""
    for cut_off in checkpoints(folder / UNFINISHED):
        shutil.rmtree(cut_off)


def let_go(folder: Path, keep: int, protected: Iterable[int]) -> None:
    """Delete all but the `keep` newest checkpoints and those of the protected steps."""
    spared = set(protected)
    for checkpoint in checkpoints(folder)[:-keep]:
        if step_of(checkpoint) not in spared:
            # Half of it, after a kill, must not have a checkpoint's place.
            shutil.rmtree(checkpoint.rename(folder / UNFINISHED / checkpoint.name))
