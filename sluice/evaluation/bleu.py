"""Corpus BLEU (Papineni et al. 2002) in points, 0 to 100, equal to sacrebleu's `corpus_score`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import datasets  # pyright: ignore[reportMissingTypeStubs]
import evaluate  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from sluice.evaluation.bootstrap import Floats, RowStatistics
from sluice.evaluation.in_memory_metric import InMemoryMetric, require_pairs
from sluice.evaluation.tokens import BLEU_TOKENIZER, bleu_tokens

ORDER = 4  # longest n-gram
Tokens = list[str]


class Bleu(InMemoryMetric):
    """`evaluate.Metric`: {"bleu": points, "tokenizer": name} of answers, one reference each."""

    def _info(self) -> Any:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description="Corpus BLEU, 0 to 100, as sacrebleu computes it (exp smoothing).",
            citation="Papineni et al. 2002; Post 2018",
            inputs_description="predictions: answers; references: one reference answer each",
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
        score = self.row_statistics(predictions, references).corpus_score()
        return {"bleu": score, "tokenizer": BLEU_TOKENIZER[self.language]}

    def row_statistics(
        self, predictions: Sequence[str], references: Sequence[str]
    ) -> RowStatistics:
        """Per row: matched and possible n-grams of orders 1 to 4; length of answer, reference."""
        require_pairs("BLEU", predictions, references)
        cut = bleu_tokens(self.language)
        addends = [
            _row(cut(answer), cut(reference))
            for answer, reference in zip(predictions, references, strict=True)
        ]
        return RowStatistics(np.array(addends, dtype=np.float64), bleu_of_sums)


def _row(answer: Tokens, reference: Tokens) -> list[int]:
    wanted, matched = _ngrams(reference), [0] * ORDER
    for ngram, count in _ngrams(answer).items():
        matched[len(ngram) - 1] += min(count, wanted[ngram])
    possible = [max(len(answer) - n, 0) for n in range(ORDER)]
    return [*matched, *possible, len(answer), len(reference)]


def _ngrams(tokens: Tokens) -> Counter[tuple[str, ...]]:
    return Counter(
        tuple(tokens[i : i + n]) for n in range(1, ORDER + 1) for i in range(len(tokens) - n + 1)
    )


def bleu_of_sums(sums: Floats) -> Floats:
    """BLEU of summed row statistics of shape (..., 10), with sacrebleu's `exp` smoothing.

    The k-th order without a match counts as half of the k-1-th: precision 1 / (2^k possible).
    """
    matched, possible = sums[..., :ORDER], sums[..., ORDER : 2 * ORDER]
    answered, wanted = sums[..., 2 * ORDER], sums[..., 2 * ORDER + 1]
    none_matched = matched == 0
    smoothed = np.where(none_matched, 0.5 ** np.cumsum(none_matched, axis=-1), matched)
    # sacrebleu: no match at all, or an order that no answer is long enough for, is a plain 0.
    usable = (possible > 0).all(axis=-1) & ~none_matched.all(axis=-1)
    mean_log = np.log(smoothed / np.maximum(possible, 1)).mean(axis=-1)
    brevity = np.minimum(1 - wanted / np.maximum(answered, 1), 0)
    return np.where(usable, 100.0 * np.exp(mean_log + brevity), 0.0)
