"""Rows of a batch laid one behind the other: no padding, and what all begin with only once."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import torch

from sluice.training.fast.isolated_attention import positions_of
from sluice.training.rows import NOT_LEARNED

IN_PLACES = ("input_ids", "labels", "position_ids")
PIECE_TOKENS = 1024  # measured: below, matrix products lose speed; above, only memory is gained
WORTH_SHARING = 4  # tokens; fewer are not worth the copies of their keys


def flat_rows(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch as one row, shortest first so that rows of like length are neighbours.

    Args:
        rows: each with `input_ids` and `labels` (-100 where nothing is learned), lists of ints.

    Returns:
        `input_ids`, `labels`, `position_ids`: (1, positions); `shared`: how many tokens all rows
        begin with, which stand once in front; `lengths`: the tokens of each row behind them;
        `tokens`: those of the rows as they came.
    """
    ordered = sorted(rows, key=lambda row: len(row["input_ids"]))
    shared = _shared(ordered)
    own = [row["input_ids"][shared:] for row in ordered]
    ids = [*ordered[0]["input_ids"][:shared], *(token for tokens in own for token in tokens)]
    labels = [label for row in ordered for label in _labels(row, shared)]
    lengths = [len(tokens) for tokens in own]
    return {
        "input_ids": torch.tensor([ids]),
        "labels": torch.tensor([[NOT_LEARNED] * shared + labels]),
        "position_ids": positions_of(lengths, shared),
        "shared": shared,
        "lengths": lengths,
        "tokens": sum(len(row["input_ids"]) for row in rows),
    }


def _labels(row: dict[str, Any], shared: int) -> list[int]:
    # What stands before a row's first token here is another row's last.
    return [NOT_LEARNED, *list(row["labels"])[shared + 1 :]]


def _shared(rows: list[dict[str, Any]]) -> int:
    """How many first tokens are the same in all rows, and predict nothing that is learned."""
    if len(rows) == 1:
        return 0
    first, last = (f([row["input_ids"] for row in rows]) for f in (min, max))
    same = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
    )
    # The token before the first learned one predicts it, so that it has to be the row's own.
    free = min(_first_learned(row["labels"]) for row in rows) - 1
    shared = min(same, free)
    return shared if shared >= WORTH_SHARING else 0


def _first_learned(labels: list[int]) -> int:
    return next((i for i, label in enumerate(labels) if label != NOT_LEARNED), len(labels))


def pieces_of(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """A flattened batch in pieces of whole rows, each of about PIECE_TOKENS or a single row.

    Their gradients add up to the batch's, since the loss is divided by the tokens of the whole
    step; what is kept for the backward pass is that of one piece at a time.
    """
    lengths, shared = batch["lengths"], batch["shared"]
    pieces: list[dict[str, Any]] = []
    start = shared
    for rows in _even(lengths, max(1, round(sum(lengths) / PIECE_TOKENS))):
        stop = start + sum(rows)
        cut = {
            name: torch.cat([batch[name][:, :shared], batch[name][:, start:stop]], 1)
            for name in IN_PLACES
        }
        tokens = sum(rows) + shared * len(rows)
        pieces.append({**cut, "shared": shared, "lengths": rows, "tokens": tokens})
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
