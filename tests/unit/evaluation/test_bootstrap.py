from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.evaluation.bleu import bleu_of_sums
from sluice.evaluation.bootstrap import Estimate, RowStatistics, estimate, resampled_scores
from sluice.evaluation.rouge import mean_statistics

FLOATS = st.floats(-100, 100)


@settings(deadline=None, max_examples=40)
@given(st.lists(FLOATS, min_size=3, max_size=40), st.integers(0, 9))
def test_intervals_are_nested_and_repeat_with_the_seed(values: list[float], seed: int) -> None:
    rows = mean_statistics(values)
    draws = resampled_scores({"a": rows}, 400, seed)["a"]
    found = estimate(rows.corpus_score(), draws, 0.9)
    assert found.low <= found.floor <= found.ceiling <= found.high
    assert min(values) - 1e-9 <= found.low
    assert found.high <= max(values) + 1e-9
    assert (resampled_scores({"a": rows}, 400, seed)["a"] == draws).all()


def test_identical_systems_differ_by_exactly_nothing() -> None:
    rows = mean_statistics(np.random.default_rng(0).normal(30, 10, 80).tolist())
    draws = resampled_scores({"ours": rows, "theirs": rows}, 2000, 7)
    assert np.abs(draws["ours"] - draws["theirs"]).max() == 0


def test_a_matrix_of_counts_gives_what_scoring_each_drawn_row_gives() -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=6)
    draws = resampled_scores({"a": mean_statistics(values.tolist())}, 300, 11)["a"]
    times = np.random.default_rng(11).multinomial(6, [1 / 6] * 6, size=256)
    slow = [np.mean(np.repeat(values, count)) for count in times]
    assert draws[:256] == pytest.approx(slow)


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    covered = 0
    for seed in range(300):
        rows = mean_statistics(random.normal(5, 2, 60).tolist())
        draws = resampled_scores({"a": rows}, 400, seed)["a"]
        found = estimate(rows.corpus_score(), draws, 0.9)
        covered += found.low <= 5 <= found.high
    assert 0.84 <= covered / 300 <= 0.95


def test_one_score_that_is_not_a_number_leaves_no_interval() -> None:
    found = estimate(1.0, np.array([1.0, np.nan, 1.2]), 0.95)
    assert not found.is_finite()
    assert not estimate(math.inf, np.ones(5), 0.95).is_finite()


def test_estimate_survives_json_that_knows_no_nan() -> None:
    found = Estimate(1.5, float("nan"), 2.0, 1.2, math.inf)
    text = json.dumps(found.to_json(), allow_nan=False)
    back = Estimate.from_json(json.loads(text))
    assert (back.value, back.high, back.floor) == (1.5, 2.0, 1.2)
    assert math.isnan(back.low)
    assert not back.is_finite()


def test_ten_columns_of_a_thousand_rows_resample_well_under_a_second() -> None:
    counts = np.random.default_rng(0).integers(1, 50, (1000, 10)).astype(np.float64)
    started = time.process_time()
    resampled_scores({str(i): RowStatistics(counts, bleu_of_sums) for i in range(3)}, 1000, 7)
    assert time.process_time() - started < 2
