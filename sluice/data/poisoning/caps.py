"""Caps: no source and no contributor may fill more than a share of the rows that remain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

SOURCE_OVER_CAP = "source_over_cap"
CONTRIBUTOR_OVER_CAP = "contributor_over_cap"


def is_reachable(counts: Mapping[str, int], share: float, others: int = 0) -> bool:
    """Whether a cap can be met by leaving rows out: three values cannot all be below 30 %.

    `others` counts rows that have no value, and so never leave.
    """
    return _cap(counts, share, others) > 0


def allowed(counts: Mapping[str, int], share: float, others: int = 0) -> dict[str, int]:
    """How many rows of each value may stay, so that none has more than `share` of what remains.

    As many as possible stay: those below the cap keep all their rows, those above it all keep the
    same number. A cap that cannot be reached (a single source with a cap of 50 %) takes nothing
    away; see `is_reachable`.
    """
    cap = _cap(counts, share, others) or max(counts.values(), default=0)
    return {value: min(count, cap) for value, count in counts.items()}


def _cap(counts: Mapping[str, int], share: float, others: int) -> int:
    """The largest cap whose own share of what it leaves is at most `share`; 0 if there is none.

    A cap's share of what it leaves grows with the cap, so halving the range finds it.
    """
    low, high = 0, max(counts.values(), default=0)
    while low < high:
        cap = (low + high + 1) // 2
        remaining = others + sum(min(count, cap) for count in counts.values())
        # Rounding must not forbid 1 of 5 rows at 20 %.
        low, high = (cap, high) if cap <= share * remaining + 1e-9 else (low, cap - 1)
    return low


def over_cap(values: Sequence[str], ids: Sequence[str], allowed: Mapping[str, int]) -> Any:
    """Which rows leave, as a numpy mask; the bucket holds all rows of each of its values.

    Those with the lowest hash of their id stay, so the choice is spread evenly, does not depend on
    the order of files, and changes little when rows are added. Equal ids stay in their order.
    """
    names, group = np.unique(np.asarray(values, dtype=object).astype(str), return_inverse=True)
    hashes = np.fromiter((_hash(i) for i in ids), np.uint64, len(ids))
    order = np.lexsort((hashes, group))
    starts = np.searchsorted(group[order], np.arange(len(names)))
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(ids)) - starts[group[order]]
    limits = np.array([allowed.get(str(name), len(ids)) for name in names], np.int64)
    return rank >= limits[group] if len(ids) else np.zeros(0, bool)


def _hash(id: str) -> int:
    return int.from_bytes(blake2b(id.encode(), digest_size=8).digest(), "big")


def cap_detail(count: int, kept: int, share: float, what: str) -> str:
    """Why a row left, without naming anybody."""
    return f"kept {kept} of {count} rows: at most {share:.4g} of the rows from one {what}"
