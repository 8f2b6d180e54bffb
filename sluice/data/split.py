"""Split: which rows train, which only measure, and which are kept away to be judged by.

Membership follows from a hash of the question alone, so a row never moves between training and
evaluation when more months arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import xxhash

from sluice.data.duplicates.rows import fold_questions
from sluice.recipe import DataSection

TRAIN, VALIDATION, CHOSEN, RESERVE = "train", "validation", "chosen", "reserve"
RESERVED = "evaluation_reserve"
EVALUATION_SEED, VALIDATION_SEED = 1, 2  # the two choices are independent of each other

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Draws:
    """For each row a number in [0, 1) for each choice; it depends on the question and on nothing
    else, so two answers to one question land on the same side."""

    evaluation: Numbers
    validation: Numbers


def draws_of(table: Any) -> Draws:
    """The numbers of a table's rows. Questions that differ in case or spacing are the same."""
    # Rows of plain text ask nothing: what they say decides.
    questions = fold_questions(table)
    data, digest = memoryview(cast("Any", questions.data)), xxhash.xxh3_64_intdigest
    places = list(zip(questions.starts.tolist(), questions.ends.tolist(), strict=True))
    evaluation, validation = (
        np.array([digest(data[start:end], seed) for start, end in places], np.uint64) / 2.0**64
        for seed in (EVALUATION_SEED, VALIDATION_SEED)
    )
    return Draws(evaluation, validation)


def highest_chosen(lowest: Sequence[Numbers], section: DataSection) -> float:
    """The number up to which a row is judged by, given the lowest of each part; -1 for none.

    Of each part one number more than `max_evaluation_rows` is needed.

    Those above it, below `evaluation_share`, stay in reserve. The reserve is never trained on, so
    that a row which is judged by one month cannot be trained on in the next.
    """
    most = section.max_evaluation_rows
    numbers = np.sort(np.concatenate([np.zeros(0), *lowest]))[: most + 1]
    if len(numbers) > most:  # rows of one question are chosen together or not at all
        numbers = numbers[numbers < numbers[-1]]
    return float(numbers[-1]) if len(numbers) else -1.0


def sides_of(draws: Draws, section: DataSection, highest: float) -> Any:
    """For each row `train`, `validation`, `chosen` (for evaluation) or `reserve`."""
    away = draws.evaluation < section.evaluation_share
    measured = draws.validation < section.validation_share
    sides = np.where(measured, VALIDATION, TRAIN).astype(object)
    sides[away] = np.where(draws.evaluation[away] <= highest, CHOSEN, RESERVE)
    return sides
