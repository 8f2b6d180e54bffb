"""Checkpoints that can be trusted after a crash: complete, unchanged, and found again.

The trainer writes a checkpoint folder; `seal` then lists the digest of each file in a marker that
is written last. A folder without its marker was cut off while being written, and one that no
longer matches was damaged; neither is resumed from.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sluice.lake import file_digest, read_json, write_json

MARKER = "sealed.json"
_STEP = re.compile(r"^checkpoint-(\d+)$")


def seal(checkpoint: Path) -> None:
    """Declare a checkpoint complete."""
    found = (p for p in sorted(checkpoint.iterdir()) if p.is_file() and p.name != MARKER)
    files = {p.name: file_digest(p) for p in found}
    write_json(checkpoint / MARKER, files)


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


def newest_verified(folder: Path) -> Path | None:
    """The checkpoint to resume from. Newer ones that do not verify are deleted on the way."""
    found = sorted((p for p in folder.glob("checkpoint-*") if p.is_dir()), key=step_of)
    for checkpoint in reversed(found):
        if verifies(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None
