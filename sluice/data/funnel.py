"""The funnel: how many rows each stage kept, and why the others left, read from the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.lake import Lake
from sluice.refs import DatasetRef


@dataclass(frozen=True, slots=True)
class Stage:
    """Rows that were left after a stage, and why others left it: (reason, rows) pairs.

    `added` counts rows that were made up here and joined the others.
    """

    name: str
    rows: int
    reasons: tuple[tuple[str, int], ...] = ()
    added: int = 0


@dataclass(frozen=True, slots=True)
class Trail:
    """The data sets of one run, in the order in which they were made; batch by batch at first."""

    snapshots: tuple[DatasetRef, ...]
    checked: tuple[DatasetRef, ...]
    cleaned: tuple[DatasetRef, ...]
    compared: DatasetRef
    curated: DatasetRef
    contracted: DatasetRef

    @property
    def refs(self) -> tuple[DatasetRef, ...]:
        """All sets that rows may have left."""
        one_by_one = (*self.checked, *self.cleaned)
        return (*one_by_one, self.compared, self.curated, self.contracted)


def funnel(trail: Trail, lake: Lake) -> tuple[Stage, ...]:
    """The stages from the lines of the files down to the rows that were trained on."""
    raw = [lake.manifest(ref) for ref in trail.snapshots]
    curated, contracted = lake.manifest(trail.curated), lake.manifest(trail.contracted)
    apart = curated["train"] + curated["validation"]
    made_up = curated.get("variants", 0)
    return (
        Stage("lines read", sum(m["lines"] for m in raw)),
        Stage("readable rows", _rows(trail.snapshots), _added(m["rejects"] for m in raw)),
        Stage("raw contract", _rows(trail.checked), _gone(trail.checked, lake)),
        Stage("cleaned", _rows(trail.cleaned), _gone(trail.cleaned, lake)),
        Stage("compared", trail.compared.rows, _gone([trail.compared], lake)),
        Stage(
            "not in evaluation",
            apart - made_up,
            _added([curated["gone"], {"chosen_for_evaluation": curated["chosen"]}]),
        ),
        *([Stage("augmented", apart, added=made_up)] if made_up else []),
        Stage(
            "training contract",
            contracted["train"] + contracted["validation"],
            _gone([trail.contracted], lake),
        ),
        Stage(
            "trained on", contracted["train"], _added([{"validation": contracted["validation"]}])
        ),
    )


def gone_reasons(refs: Iterable[DatasetRef], lake: Lake) -> dict[str, int]:
    """Why rows left these data sets, and how many for each reason."""
    return dict(_gone(refs, lake))


def told_reasons(gone: Mapping[str, int]) -> str:
    """Reasons and how many rows left for each, for a message."""
    return ", ".join(f"{reason} {rows}" for reason, rows in gone.items()) or "none came in"


def _rows(refs: Iterable[DatasetRef]) -> int:
    return sum(ref.rows for ref in refs)


def _gone(refs: Iterable[DatasetRef], lake: Lake) -> tuple[tuple[str, int], ...]:
    manifests: list[dict[str, Any]] = [lake.manifest(ref) for ref in refs]
    return _added(manifest["gone"] for manifest in manifests)


def _added(counts: Iterable[Mapping[str, int]]) -> tuple[tuple[str, int], ...]:
    total = Counter[str]()
    for part in counts:
        total.update(part)
    return tuple(sorted((reason, rows) for reason, rows in total.items() if rows))
