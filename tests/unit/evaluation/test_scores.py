from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sluice.errors import EvaluationError
from sluice.evaluation.predictions import Predictions, read_predictions
from sluice.evaluation.scores import Scores, score_models
from sluice.recipe import EvaluationSection
from tests.unit.evaluation.made_up import prediction, predictions

SECTION = EvaluationSection(resamples=500)
GOOD, BAD = "a fine reference answer here", "something else entirely, not fine"


def three_models() -> dict[str, Predictions]:
    mixed = [GOOD if row % 2 else BAD for row in range(40)]
    return {
        "base": predictions("base", [BAD] * 40, nll=12.0),
        "champion": predictions("champion", mixed, nll=11.0),
        "candidate": predictions("candidate", [GOOD] * 39 + [" "], nll=10.0),
    }


def test_scores_of_all_models_and_differences_of_the_candidate() -> None:
    scores = score_models(three_models(), "en", SECTION, seed=3)
    assert scores.rows == 40
    assert scores.models["base"]["perplexity"].value == pytest.approx(np.exp(12 / 5))
    assert scores.models["candidate"]["empty_rate"].value == pytest.approx(1 / 40)
    assert set(scores.differences) == {"base", "champion"}
    assert scores.differences["champion"]["rouge_l"].absolute.low > 0
    # Perplexity of every resample is the same number here, so its ratio is exact.
    ratio = scores.differences["champion"]["perplexity"].relative
    assert ratio.floor == pytest.approx(np.exp(-1 / 5) - 1)
    assert ratio.ceiling == pytest.approx(np.exp(-1 / 5) - 1)


def test_a_model_against_itself_has_no_difference() -> None:
    answers = three_models()["champion"]
    twin = Predictions("candidate", answers.rows)
    scores = score_models({"base": answers, "candidate": twin}, "en", SECTION, seed=3)
    found = scores.differences["base"]["bleu"].absolute
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_relative_to_a_score_of_zero_is_not_a_number() -> None:
    scores = score_models(three_models(), "en", SECTION, seed=3)
    assert not scores.differences["base"]["empty_rate"].relative.is_finite()


def test_scores_survive_json() -> None:
    scores = score_models(three_models(), "en", SECTION, seed=3)
    text = json.dumps(scores.to_json(), allow_nan=False)
    back = Scores.from_json(json.loads(text))
    assert json.dumps(back.to_json(), allow_nan=False) == text
    assert back.differences["base"]["bleu"] == scores.differences["base"]["bleu"]


def test_other_rows_or_another_order_are_refused() -> None:
    models = three_models()
    models["base"] = Predictions("base", models["base"].rows[::-1])
    with pytest.raises(EvaluationError, match="not the same rows"):
        score_models(models, "en", SECTION, seed=3)


def test_all_perplexities_are_per_token_of_the_candidate() -> None:
    """A champion whose template ends answers with one token more is judged by the same measure."""
    models = three_models()
    longer = tuple(replace(row, tokens=6) for row in models["champion"].rows)
    models["champion"] = Predictions("champion", longer)
    found = score_models(models, "en", SECTION, seed=3)
    assert (
        found.models["champion"]
        == score_models(three_models(), "en", SECTION, 3).models["champion"]
    )


def test_no_candidate_or_no_rows_is_refused() -> None:
    with pytest.raises(EvaluationError):
        score_models({"base": three_models()["base"]}, "en", SECTION, seed=3)
    with pytest.raises(EvaluationError):
        score_models({"candidate": Predictions("candidate", ())}, "en", SECTION, seed=3)


def test_predictions_survive_parquet(tmp_path: Path) -> None:
    rows = (prediction(1, "帐篷可以退货\n好"), prediction(2, "", nll=float("nan")))
    Predictions("candidate", rows).write(tmp_path)
    back = read_predictions(tmp_path, ["candidate"])["candidate"]
    assert back.rows[0] == rows[0]
    assert np.isnan(back.rows[1].nll)
    assert back.rows_digest == Predictions("x", rows).rows_digest
