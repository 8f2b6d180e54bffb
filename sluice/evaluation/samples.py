"""Answers of all models to a few questions, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.evaluation.predictions import Predictions
from sluice.lake import digest_of


@dataclass(frozen=True, slots=True)
class Sample:
    """One question with its reference answer and each model's answer, by model name."""

    id: str
    question: str
    reference: str
    answers: Mapping[str, str]


def pick_samples(predictions: Mapping[str, Predictions], count: int) -> tuple[Sample, ...]:
    """`count` rows in the order of a digest of their ids.

    Nobody chose them for how they look, and every month shows the same questions. All models must
    have answered the same rows in the same order.
    """
    models = list(predictions)
    rows = list(zip(*(predictions[model].rows for model in models), strict=True))
    rows.sort(key=lambda answers: digest_of(answers[0].id))
    return tuple(
        Sample(
            id=answers[0].id,
            question=answers[0].question,
            reference=answers[0].reference,
            answers={model: a.answer for model, a in zip(models, answers, strict=True)},
        )
        for answers in rows[:count]
    )
