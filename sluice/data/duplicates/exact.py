"""Exact duplicates: rows whose whole conversation is the same text."""

from __future__ import annotations

from typing import Any

import numpy as np

from sluice.data.comparison import decisions
from sluice.data.duplicates.pairs import Keep, kept_first

EXACT_DUPLICATE = "exact_duplicate"


def decide_exact(table: Any, keep: Keep) -> Any:
    """Decisions about all rows but one of each text, among the rows of some `key`s.

    The table is that of `keys_of`, with `text_key` as `key`. `detail` is the place (`source:line`)
    of the row that stays.
    """
    keys, checks = (table.column(name).to_numpy() for name in ("key", "text_check"))
    order = kept_first(table, keep)
    # By key, then by check; rows that agree in both stay in the order of `keep`.
    order = order[np.lexsort((checks[order], keys[order]))]
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = np.diff(keys[order]).astype(np.bool_) | np.diff(checks[order]).astype(np.bool_)
    stays = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
    goes, twins = order[~new], table.take(stays[~new])
    places = zip(twins.column("source").to_pylist(), twins.column("line").to_pylist(), strict=True)
    return decisions(
        table.column("row").to_numpy()[goes],
        "dropped",
        [EXACT_DUPLICATE] * len(goes),
        [f"{source}:{line}" for source, line in places],
    )
