"""Token-weighted perplexity of reference answers: exp(sum of NLL / number of tokens); 1 is perfect.

Not exp(eval_loss), which averages batch means, and not the mean of per-row perplexities, which one
odd row can dominate: on a test set those differed from this by 4 % and 1 % in the loss alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets  # pyright: ignore[reportMissingTypeStubs]
import evaluate  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from sluice.errors import EvaluationError
from sluice.evaluation.bootstrap import Floats, RowStatistics
from sluice.evaluation.in_memory_metric import InMemoryMetric, require_pairs


class AnswerPerplexity(InMemoryMetric):
    """`evaluate.Metric` over per-row sums: {"perplexity", "nll" in nats, "tokens"}."""

    def _info(self) -> Any:
        return evaluate.MetricInfo(
            description="exp(sum of negative log-likelihoods / number of answer tokens).",
            citation="Jelinek et al. 1977",
            inputs_description="nll: summed over the answer's tokens, in nats; tokens: how many",
            features=datasets.Features(
                {"nll": datasets.Value("float64"), "tokens": datasets.Value("int64")}
            ),
        )

    def _compute(self, nll: Sequence[float], tokens: Sequence[int]) -> dict[str, Any]:
        score = self.row_statistics(nll, tokens).corpus_score()
        return {"perplexity": score, "nll": float(np.sum(nll)), "tokens": int(np.sum(tokens))}

    def row_statistics(self, nll: Sequence[float], tokens: Sequence[int]) -> RowStatistics:
        """Per row: summed negative log-likelihood in nats, and number of tokens."""
        require_pairs("perplexity", nll, tokens)
        empty = sum(count <= 0 for count in tokens)
        if empty:
            raise EvaluationError(
                f"perplexity: {empty} of {len(tokens)} reference answers have no tokens. "
                "Remove empty answers from the evaluation rows."
            )
        columns = [np.asarray(nll, np.float64), np.asarray(tokens, np.float64)]
        return RowStatistics(np.stack(columns, axis=1), perplexity_of_sums)


def perplexity_of_sums(sums: Floats) -> Floats:
    """Perplexity of summed (NLL, tokens); infinite where it overflows."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.exp(sums[..., 0] / sums[..., 1]))
