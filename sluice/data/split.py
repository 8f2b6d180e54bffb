"""Split: which rows train, which only measure, and which are kept away to be judged by.

Membership follows from a hash of the question alone, so a row never moves between training and
evaluation when more months arrive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from sluice.data.record import Record
from sluice.data.similarity import folded
from sluice.recipe import DataSection

TRAIN, VALIDATION, CHOSEN, RESERVE = "train", "validation", "chosen", "reserve"
RESERVED = "evaluation_reserve"


def share(purpose: str, question: str) -> float:
    """A number in [0, 1) that depends on the purpose and the question's text, and on nothing else.

    Equal questions get equal numbers, so two answers to one question land on the same side.
    """
    digest = hashlib.sha256(f"{purpose}\n{folded(question)}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def evaluation_shares(records: Sequence[Record], section: DataSection) -> list[float]:
    """The numbers below `evaluation_share` among those of the rows."""
    if section.evaluation_share == 0:
        return []
    found = (share("evaluation", record.question) for record in records)
    return [number for number in found if number < section.evaluation_share]


def highest_chosen(shares: Sequence[float], section: DataSection) -> float:
    """The number up to which a row is judged by; those above it stay in reserve.

    The reserve is never trained on, so that a row which is judged by one month cannot be trained
    on in the next.
    """
    lowest = np.sort(np.asarray(shares))[: section.max_evaluation_rows]
    return float(lowest[-1]) if len(lowest) else -1.0


def side_of(record: Record, section: DataSection, highest: float) -> str:
    """`train`, `validation`, `chosen` (for evaluation) or `reserve`."""
    if section.evaluation_share:
        number = share("evaluation", record.question)
        if number < section.evaluation_share:
            return CHOSEN if number <= highest else RESERVE
    if share("validation", record.question) < section.validation_share:
        return VALIDATION
    return TRAIN
