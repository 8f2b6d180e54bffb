from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from sluice.errors import EvaluationError
from sluice.evaluation.rouge import KINDS, Rouge

WORDS = st.sampled_from(
    ["the", "a", "30", "days,", "warm.", "café", "don't", "re-use", "帐篷", "\n"]
)
SENTENCES = st.lists(WORDS, max_size=14).map(" ".join)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=8))
def test_english_is_what_rouge_score_computes(pairs: list[tuple[str, str]]) -> None:
    answers, references = [a for a, _ in pairs], [r for _, r in pairs]
    theirs = RougeScorer(list(KINDS.values()))
    expected = [theirs.score(r, a) for a, r in pairs]
    for name, ours in Rouge("en").row_statistics(answers, references).items():
        f1 = [100 * row[KINDS[name]].fmeasure for row in expected]
        assert ours.addends[:, 0].tolist() == f1


def test_evaluate_metric_is_the_mean_over_rows_in_points() -> None:
    result = Rouge("en").compute(predictions=["a tent", "x"], references=["a tent", "y"])
    assert result is not None
    assert (result["rouge_1"], result["rouge_l"]) == (50.0, 50.0)


def chinese(answer: str, reference: str) -> dict[str, float]:
    rows = Rouge("zh").row_statistics([answer], [reference])
    return {name: kind.corpus_score() for name, kind in rows.items()}


def test_chinese_by_hand() -> None:
    assert set(chinese("帐篷可以退货", "帐篷可以退货。").values()) == {100.0}
    assert set(chinese("帐篷可以退货", "明天下雨吗呢").values()) == {0.0}
    # 5 characters against 6: 4 are shared, and of 4 and 5 bigrams 帐篷 and 退货.
    near = chinese("帐篷能退货", "帐篷可以退货")
    assert near["rouge_1"] == pytest.approx(100 * 2 * 4 / (5 + 6))
    assert near["rouge_2"] == pytest.approx(100 * 2 * 2 / (4 + 5))
    assert near["rouge_l"] == pytest.approx(100 * 2 * 4 / (5 + 6))


def test_an_empty_answer_scores_zero_and_no_rows_are_refused() -> None:
    assert set(chinese("", "帐篷").values()) == {0.0}
    with pytest.raises(EvaluationError):
        Rouge("en").row_statistics([], [])
