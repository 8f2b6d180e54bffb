"""Rows of a batch laid one behind the other: no padding is computed."""

from __future__ import annotations

from typing import Any

import torch

from sluice.training.fast.answer_loss import IGNORED
from sluice.training.fast.isolated_attention import positions_of


def flat_rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch as one row, shortest first so that rows of like length are neighbours.

    Args:
        rows: each with `input_ids` and `labels` (-100 where nothing is learned), lists of ints.

    Returns:
        `input_ids`, `labels`, `position_ids`: (1, tokens); `lengths`: the tokens of each row, for
        `isolated_rows`. The first token of a row is never a label: nothing stands before it.
    """
    ordered = sorted(rows, key=lambda row: len(row["input_ids"]))
    lengths = [len(row["input_ids"]) for row in ordered]
    ids = [token for row in ordered for token in row["input_ids"]]
    labels = [label for row in ordered for label in (IGNORED, *list(row["labels"])[1:])]
    return {
        "input_ids": torch.tensor([ids]),
        "labels": torch.tensor([labels]),
        "position_ids": positions_of(lengths),
        "lengths": lengths,
    }
