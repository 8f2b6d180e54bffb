"""Which data sets a run made, as far as it came: kept beside its record."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sluice.home import Home
from sluice.lake import read_json, write_json
from sluice.refs import DatasetRef

FILE = "trail.json"


def note_trail(runs: Path, run_id: str, step: str, refs: Iterable[DatasetRef]) -> None:
    """Note what a step of a run made."""
    path = runs / run_id / FILE
    known: dict[str, Any] = read_json(path) if path.exists() else {}
    write_json(path, {**known, step: [ref.to_json() for ref in refs]})


def read_trail(runs: Path, run_id: str) -> dict[str, list[DatasetRef]]:
    """What the steps of a run made, by step."""
    path = runs / run_id / FILE
    steps: dict[str, list[dict[str, Any]]] = read_json(path) if path.exists() else {}
    return {step: [DatasetRef.from_json(ref) for ref in refs] for step, refs in steps.items()}


def newest_trail(home: Home) -> list[DatasetRef]:
    """The data sets of the newest run that made any, in the order of its steps."""
    for path in sorted(home.runs.glob(f"*/{FILE}"), reverse=True):
        steps = read_trail(home.runs, path.parent.name)
        return [ref for refs in steps.values() for ref in refs]
    return []
