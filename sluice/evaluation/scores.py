"""Score models on the same frozen rows, with intervals, and compare the candidate with each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sluice.errors import EvaluationError
from sluice.evaluation.bootstrap import Estimate, Floats, RowStatistics, estimate, resampled_scores
from sluice.evaluation.predictions import Predictions
from sluice.evaluation.score_table import METRICS, Difference, Scores
from sluice.evaluation.tokens import Language, tokenizer_names
from sluice.recipe import EvaluationSection

__all__ = ["Scores", "score_models"]
CANDIDATE = "candidate"


def score_models(
    predictions: Mapping[str, Predictions],
    language: Language,
    section: EvaluationSection,
    seed: int = 7,
) -> Scores:
    """Scores of all models, and of the candidate against each other one, from the same resamples.

    Raises:
        EvaluationError: no rows, no candidate, or models that did not answer the same rows.
    """
    _require_same_rows(predictions)
    # One count for all: where a model's chat template ends an answer with more tokens, the
    # likelihood of the whole answer is still comparable, but its mean over its own tokens is not.
    tokens = [row.tokens for row in predictions[CANDIDATE].rows]
    statistics = {
        (model, metric): rows
        for model, answers in predictions.items()
        for metric, rows in _row_statistics(answers, tokens, language).items()
    }
    points = {key: rows.corpus_score() for key, rows in statistics.items()}
    draws = _draws(statistics, section.resamples, seed)
    others = [model for model in predictions if model != CANDIDATE]
    level = section.confidence
    return Scores(
        language=language,
        tokenizers=tokenizer_names(language),
        rows=len(predictions[CANDIDATE].rows),
        rows_digests={model: answers.rows_digest for model, answers in predictions.items()},
        confidence=level,
        resamples=section.resamples,
        seed=seed,
        models={
            model: {
                metric: estimate(points[model, metric], draws[model, metric], level)
                for metric in METRICS
                if (model, metric) in points
            }
            for model in predictions
        },
        differences={
            other: {
                metric: _difference(points, draws, other, metric, level)
                for metric in METRICS
                if (CANDIDATE, metric) in points
            }
            for other in others
        },
    )


def _require_same_rows(predictions: Mapping[str, Predictions]) -> None:
    if CANDIDATE not in predictions or not predictions[CANDIDATE].rows:
        raise EvaluationError(
            f"There are no answers of a candidate among {len(predictions)} scored models "
            f"({', '.join(predictions)}). Run the evaluation again."
        )
    candidate = predictions[CANDIDATE]
    for model, answers in predictions.items():
        if answers.rows_digest != candidate.rows_digest:
            raise EvaluationError(
                f"{model} answered {len(answers.rows)} rows, the candidate {len(candidate.rows)}, "
                "and they are not the same rows in the same order. Scores on different rows are "
                "not compared; evaluate both again in one run."
            )


def _row_statistics(
    predictions: Predictions, tokens: list[int], language: Language
) -> dict[str, RowStatistics]:
    # Late: `evaluate` brings torch, which whoever only reads scores need not load.
    from sluice.evaluation.answer_perplexity import AnswerPerplexity
    from sluice.evaluation.bleu import Bleu
    from sluice.evaluation.labels import LabelScores
    from sluice.evaluation.rouge import Rouge, mean_statistics

    rows = predictions.rows
    answers, references = [row.answer for row in rows], [row.reference for row in rows]
    nll, labels = [row.nll for row in rows], [row.label for row in rows]
    return {
        **LabelScores(language).row_statistics(answers, labels),
        "bleu": Bleu(language).row_statistics(answers, references),
        **Rouge(language).row_statistics(answers, references),
        "perplexity": AnswerPerplexity(language).row_statistics(nll, tokens),
        "empty_rate": mean_statistics([not row.answer.strip() for row in rows]),
        "cut_off_rate": mean_statistics([row.cut_off for row in rows]),
    }


Key = tuple[str, str]


def _draws(statistics: Mapping[Key, RowStatistics], resamples: int, seed: int) -> dict[Key, Floats]:
    named = {f"{model}/{metric}": rows for (model, metric), rows in statistics.items()}
    scores = resampled_scores(named, resamples, seed)
    return {(model, metric): scores[f"{model}/{metric}"] for model, metric in statistics}


def _difference(
    points: Mapping[Key, float],
    draws: Mapping[Key, Floats],
    other: str,
    metric: str,
    confidence: float,
) -> Difference:
    ours, theirs = points[CANDIDATE, metric], points[other, metric]
    our_draws, their_draws = draws[CANDIDATE, metric], draws[other, metric]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.float64(ours) / np.float64(theirs) - 1)
        ratios = our_draws / their_draws - 1
    return Difference(
        absolute=_paired(ours - theirs, our_draws - their_draws, confidence),
        relative=_paired(ratio, ratios, confidence),
    )


def _paired(value: float, draws: Any, confidence: float) -> Estimate:
    return estimate(value, np.asarray(draws, np.float64), confidence)
