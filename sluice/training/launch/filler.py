"""Steps of equal size for every process, whatever the number of rows.

Where the rows of an epoch do not fill the last step, accelerate repeats rows from the epoch's
beginning, so that several processes learn another thing than one does. Here the gap is filled with
a row that has nothing to learn: it adds nothing to the loss, which is divided by the number of
learned tokens, and nothing to the gradient.
"""

from __future__ import annotations

from typing import Any

from sluice.training.launch import group
from sluice.training.rows import NOT_LEARNED


def with_filler(rows: Any) -> Any:
    """The rows, with the filler behind them if several processes train."""
    if group.count() == 1:
        return rows
    return rows.add_item({"input_ids": [0], "labels": [NOT_LEARNED]})


def filled(indices: list[int], at_once: int) -> list[int]:
    """An epoch's order of rows, made a multiple of `at_once` by the filler's index.

    Args:
        indices: each row once; the filler is the row behind the last of them.
        at_once: rows that all processes take together in one forward pass.
    """
    return [*indices, *[len(indices)] * (-len(indices) % at_once)]
