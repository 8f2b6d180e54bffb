from __future__ import annotations

import math

import pytest

from sluice.errors import EvaluationError
from sluice.evaluation.answer_perplexity import AnswerPerplexity


def test_is_weighted_by_tokens_not_by_rows() -> None:
    # 2 tokens at 0.5 nats and 98 tokens at 2 nats: the long row counts for what it is.
    result = AnswerPerplexity().compute(nll=[1.0, 196.0], tokens=[2, 98])
    assert result is not None
    assert result["perplexity"] == pytest.approx(math.exp(197 / 100))
    assert result["tokens"] == 100


def test_a_row_that_has_no_likelihood_is_not_skipped() -> None:
    score = AnswerPerplexity().row_statistics([1.0, float("nan")], [2, 2]).corpus_score()
    assert math.isnan(score)


@pytest.mark.parametrize(("nll", "tokens"), [([], []), ([1.0], [0]), ([1.0, 2.0], [3])])
def test_what_has_no_perplexity_is_refused(nll: list[float], tokens: list[int]) -> None:
    with pytest.raises(EvaluationError):
        AnswerPerplexity().row_statistics(nll, tokens)
