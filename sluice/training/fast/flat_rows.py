"""Rows of a batch laid one behind the other: no padding is computed."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch

from sluice.training.fast.answer_loss import IGNORED
from sluice.training.fast.isolated_attention import positions_of

IN_PLACES = ("input_ids", "labels", "position_ids")
PIECE_TOKENS = 1024  # measured: below, matrix products lose speed; above, only memory is gained


def pieces_of(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """A flattened batch in pieces of whole rows, each of about PIECE_TOKENS or a single row.

    Their gradients add up to the batch's, since the loss is divided by the tokens of the whole
    step; what is kept for the backward pass is that of one piece at a time.
    """
    lengths: list[int] = batch["lengths"]
    pieces: list[dict[str, Any]] = []
    start = 0
    for rows in _even(lengths, max(1, round(sum(lengths) / PIECE_TOKENS))):
        stop = start + sum(rows)
        cut = {name: batch[name][:, start:stop] for name in IN_PLACES}
        pieces.append({**cut, "lengths": rows})
        start = stop
    return pieces


def _even(lengths: list[int], count: int) -> list[list[int]]:
    """Neighbouring rows in at most `count` groups of about as many tokens."""
    share = sum(lengths) / count
    groups: list[list[int]] = []
    for place, length in zip(accumulate(lengths), lengths, strict=True):
        if not groups or place - length / 2 > share * len(groups):
            groups.append([])
        groups[-1].append(length)
    return groups


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
