"""Counts that the parts of a step make, and that are added up for its manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

Counts = dict[str, Any]


def added_up(counts: Iterable[Counts]) -> Counts:
    """The sum of counts of the parts: numbers add up, also those one level down by reason."""
    total: Counts = {}
    for part in counts:
        for name, value in part.items():
            if isinstance(value, dict):
                sums = Counter[str](cast("dict[str, int]", value))
                sums.update(total.get(name, {}))
                total[name] = dict(sorted(sums.items()))
            else:
                total[name] = total.get(name, 0) + value
    return total


def rows_by_reason(table: Any) -> Counter[str]:
    """How many rows of a table left for each reason."""
    return Counter[str](table.column("reason").to_pylist())


def most_first(reasons: dict[str, int]) -> list[tuple[str, int]]:
    """Reasons and rows as a person reads them: the most rows first."""
    return sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
