"""The funnel: how many rows each stage kept, and why the others left, read from the lake."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sluice.data.json_lines import read_json_lines
from sluice.lake import Lake
from sluice.refs import DatasetRef


@dataclass(frozen=True, slots=True)
class Stage:
    """Rows that were left after a stage, and why others left it: (reason, rows) pairs."""

    name: str
    rows: int
    reasons: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Trail:
    """The data sets of one run, in the order in which they were made."""

    snapshots: tuple[DatasetRef, ...]
    checked: DatasetRef
    cleaned: DatasetRef
    curated: DatasetRef
    contracted: DatasetRef


def funnel(trail: Trail, lake: Lake) -> tuple[Stage, ...]:
    """The stages from the lines of the files down to the rows that were trained on."""
    raw = [lake.manifest(ref) for ref in trail.snapshots]
    cleaned, curated = lake.manifest(trail.cleaned), lake.manifest(trail.curated)
    contracted = lake.manifest(trail.contracted)
    rejects = Counter[str]()
    for manifest in raw:
        rejects.update(manifest["rejects"])
    return (
        Stage("lines read", sum(m["lines"] for m in raw)),
        Stage("readable rows", sum(ref.rows for ref in trail.snapshots), _pairs(rejects)),
        Stage("raw contract", trail.checked.rows, _pairs(_quarantined(trail.checked, lake))),
        Stage("cleaned", trail.cleaned.rows, _pairs(cleaned["dropped"])),
        Stage(
            "not in evaluation",
            curated["train"] + curated["validation"],
            _pairs({**curated["removed"], **_to_evaluation(trail, curated)}),
        ),
        Stage(
            "training contract",
            contracted["train"] + contracted["validation"],
            _pairs(_quarantined(trail.contracted, lake)),
        ),
        Stage("trained on", contracted["train"], _pairs({"validation": contracted["validation"]})),
    )


def _to_evaluation(trail: Trail, curated: dict[str, Any]) -> dict[str, int]:
    """Incoming rows that a stable hash chose for evaluation."""
    removed = sum(curated["removed"].values())
    chosen = trail.cleaned.rows - curated["train"] - curated["validation"] - removed
    return {"chosen_for_evaluation": chosen}


def _quarantined(ref: DatasetRef, lake: Lake) -> Counter[str]:
    rows = read_json_lines(lake.path(ref) / "quarantined.jsonl")
    return Counter(str(row.get("expectation", "contract")) for row in rows)


def _pairs(counts: dict[str, int] | Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted((reason, rows) for reason, rows in counts.items() if rows))
