"""How well near duplicates were found, told by a corpus that knows its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from benchmarks.corpus import Kind

Labels = Mapping[int, tuple[Kind, int | None]]


@dataclass(frozen=True)
class NearScores:
    """Shares from 0 to 1; 1 where there was nothing to find.

    `recall`: of the near copies that met their original, those of which one alone is left.
    `precision`: of the rows removed as near duplicates, those whose like is left. Swapped rows
    count neither way: by Jaccard similarity it is right to remove them.
    `swapped_kept`: of the rows in which a few words are exchanged for others, those that are left.
    """

    recall: float
    precision: float
    swapped_kept: float


def near_scores(before: Set[int], kept: Set[int], labels: Labels) -> NearScores:
    """Score the search that turned the rows `before` it into the rows `kept`."""
    families = _families(labels)
    pairs = [
        (near, family)
        for near, (kind, of) in labels.items()
        if kind == "near" and of is not None and near in before
        if (family := families[of] - {near}) & before
    ]
    found = sum(not (near in kept and family & kept) for near, family in pairs)
    swapped = {row for row, (kind, _) in labels.items() if kind == "swapped"} & before
    removed = before - kept - swapped
    right = sum(bool(_family_of(row, labels, families) & kept - {row}) for row in removed)
    return NearScores(
        _share(found, len(pairs)),
        _share(right, len(removed)),
        _share(len(swapped & kept), len(swapped)),
    )


def _families(labels: Labels) -> dict[int, set[int]]:
    """The rows that say the same, by their first one: the original, its copies, its near copy."""
    families: defaultdict[int, set[int]] = defaultdict(set)
    for row, (kind, of) in labels.items():
        if of is not None and kind in ("exact", "near"):
            families[of] |= {of, row}
    return families


def _family_of(row: int, labels: Labels, families: Mapping[int, set[int]]) -> set[int]:
    kind, of = labels.get(row, ("plain", None))
    origin = of if of is not None and kind in ("exact", "near") else row
    return families.get(origin, set())


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
