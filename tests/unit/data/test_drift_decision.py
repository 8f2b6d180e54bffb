"""Retrain or not: by default always, and doing nothing has its reason."""

from __future__ import annotations

from sluice.data.drift import DriftReport, Measure, worth_retraining
from sluice.recipe import DriftSection

STEADY = Measure("tokens", "psi", raw=0.1, by_chance=0.2, score=0.0, limit=0.25)
DRIFTED = Measure("tokens", "psi", raw=0.6, by_chance=0.2, score=0.5, limit=0.25)


def report(*measures: Measure, novelty: float | None = 0.02) -> DriftReport:
    return DriftReport(500, 80, measures, novelty, 0.4)


def test_by_default_nothing_is_skipped() -> None:
    for given in (None, report(), report(STEADY), report(STEADY, novelty=0.0)):
        assert worth_retraining(given, 0, DriftSection()).retrain


def test_too_few_new_rows_wait() -> None:
    section = DriftSection(min_new_rows=100)
    decision = worth_retraining(report(STEADY), 80, section)
    assert not decision.retrain
    assert "80 new rows; a retrain waits for 100 (drift.min_new_rows)" in decision.reason
    assert worth_retraining(report(STEADY), 100, section).retrain


def test_rows_that_bring_nothing_new_wait() -> None:
    section = DriftSection(skip_below_novelty=0.05)
    decision = worth_retraining(report(STEADY), 80, section)
    assert not decision.retrain
    assert "2% of token pairs are new" in decision.reason
    assert "5% (drift.skip_below_novelty)" in decision.reason
    assert worth_retraining(report(STEADY, novelty=0.06), 80, section).retrain


def test_drift_is_worth_a_retrain_though_little_is_new() -> None:
    decision = worth_retraining(report(DRIFTED), 80, DriftSection(skip_below_novelty=0.05))
    assert decision.retrain
    assert "tokens (0.50, limit 0.25)" in decision.reason


def test_what_cannot_be_told_is_no_reason_to_skip() -> None:
    section = DriftSection(skip_below_novelty=0.05)
    assert worth_retraining(report(STEADY, novelty=None), 80, section).retrain


def test_the_first_training_has_nothing_to_compare_with() -> None:
    section = DriftSection(min_new_rows=1000, skip_below_novelty=0.5)
    assert worth_retraining(None, 10, section).retrain
