"""Invented texts, predictions and estimates."""

from __future__ import annotations

from typing import Any

from sluice.evaluation.bootstrap import Estimate
from sluice.evaluation.predictions import Prediction, Predictions

TEXTS = [
    "Can I return a tent that I have used for one night?",
    "Yes, within 30 days, if it is clean and dry.",
    "我的帐篷可以退货吗？可以，三十天之内。",
]


def prediction(
    row: int, answer: str, *, reference: str = "a fine reference answer here", nll: float = 10.0
) -> Prediction:
    return Prediction(
        id=f"row-{row}",
        question=f"question {row}?",
        reference=reference,
        answer=answer,
        answer_tokens=len(answer.split()),
        cut_off=False,
        nll=nll,
        tokens=5,
    )


def predictions(model: str, answers: list[str], **fields: Any) -> Predictions:
    rows = tuple(prediction(row, answer, **fields) for row, answer in enumerate(answers))
    return Predictions(model, rows)


def exact(value: float, half: float = 0.0) -> Estimate:
    """An estimate with a symmetric interval; its one-sided bounds lie 20 % further in."""
    return Estimate(value, value - half, value + half, value - 0.8 * half, value + 0.8 * half)
