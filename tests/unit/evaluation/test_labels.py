from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from sluice.errors import EvaluationError
from sluice.evaluation.bootstrap import resampled_scores
from sluice.evaluation.gate import judge
from sluice.evaluation.labels import LabelScores, said
from sluice.evaluation.markdown import render_markdown
from sluice.evaluation.predictions import Predictions, read_predictions
from sluice.evaluation.report import Report, render_report
from sluice.evaluation.scores import Scores, score_models
from sluice.recipe import EvaluationSection, GateSection, LimitRule
from tests.unit.evaluation.made_up import prediction

SECTION = EvaluationSection(resamples=500)


def scored(answers: list[str], labels: list[str | None]) -> tuple[float, float]:
    rows = LabelScores().row_statistics(answers, labels)
    return rows["label_accuracy"].corpus_score(), rows["macro_f1"].corpus_score()


def test_accuracy_and_macro_f1_worked_by_hand() -> None:
    right = ["a", "a", "a", "b", "b", "c"]
    given = ["a", "a", "b", "b", "x", "a"]
    # a: 2 hits, 3 given, 3 wanted: 4/6. b: 1 hit, 2 given, 2 wanted: 2/4. c: no hit: 0.
    accuracy, macro = scored(given, list(right))
    assert accuracy == pytest.approx(3 / 6)
    assert macro == pytest.approx((4 / 6 + 2 / 4 + 0) / 3)


def test_macro_f1_sees_that_only_the_commonest_label_is_ever_given() -> None:
    accuracy, macro = scored(["spam"] * 10, ["spam"] * 9 + ["ham"])
    assert accuracy == pytest.approx(0.9)
    assert macro == pytest.approx((18 / 19) / 2)


def test_chinese_labels_count_whatever_marks_stand_around_them() -> None:
    right = ["退款", "物流", "退款", "质量"]
    given = ["退款。", "“物流”", "**质量**", "质量问题"]
    # 退款: 1 hit, 1 given, 2 wanted: 2/3. 物流: 1. 质量: 0 hits, 1 given, 1 wanted: 0.
    accuracy, macro = scored(given, list(right))
    assert accuracy == pytest.approx(2 / 4)
    assert macro == pytest.approx((2 / 3 + 1 + 0) / 3)


@pytest.mark.parametrize(
    ("answer", "label"),
    [("Positive.", "positive"), (" ham\n", "ham"), ("+", "+"), ("?", "?"), ("", ""), ("１", "１")],
)
def test_what_an_answer_says_without_its_dress(answer: str, label: str) -> None:
    assert said(answer) == label


def test_rows_without_a_label_change_nothing_and_none_at_all_is_no_score() -> None:
    assert scored(["a", "b", "a"], ["a", None, "b"]) == scored(["a", "a"], ["a", "b"])
    assert LabelScores().row_statistics(["a"], [None]) == {}
    with pytest.raises(EvaluationError):
        LabelScores().row_statistics([], [])


def test_the_metric_computes_what_the_statistics_say() -> None:
    found = LabelScores().compute(predictions=["a", "b"], references=["a", "a"])
    assert found == {"label_accuracy": 0.5, "macro_f1": pytest.approx(2 / 3)}


LABELS = st.sampled_from(["a", "b", "c", "退款"])


@settings(deadline=None)
@given(st.lists(st.tuples(LABELS, LABELS | st.just("z")), min_size=1, max_size=30))
def test_equal_to_scikit_learn(rows: list[tuple[str, str]]) -> None:
    right, given = [r for r, _ in rows], [g for _, g in rows]
    accuracy, macro = scored(given, list(right))
    assert accuracy == pytest.approx(accuracy_score(right, given))
    expected = f1_score(right, given, labels=sorted(set(right)), average="macro", zero_division=0.0)
    assert macro == pytest.approx(expected)


def test_a_resample_scores_what_its_rows_score() -> None:
    right, given = ["a", "b", "a", "c"], ["a", "b", "b", "a"]
    rows = LabelScores().row_statistics(given, list(right))
    draw = np.array([0, 0, 2, 1])  # no row of c: its F1 is not a part of the mean
    again = scored([given[i] for i in draw], [right[i] for i in draw])
    sums = {name: statistics.addends[draw].sum(axis=0) for name, statistics in rows.items()}
    drawn = {name: float(rows[name].score(total)) for name, total in sums.items()}
    assert (drawn["label_accuracy"], drawn["macro_f1"]) == pytest.approx(again)


def test_resamples_without_any_label_are_not_a_number_and_warn_nobody() -> None:
    rows = LabelScores().row_statistics(["a"] * 30, ["a", *[None] * 29])
    draws = resampled_scores(rows, 200, 3)
    assert np.isnan(draws["macro_f1"]).any()
    assert np.isnan(draws["label_accuracy"]).any()


def classified(model: str, answers: list[str]) -> Predictions:
    labels = ["退款" if row % 3 else "物流" for row in range(60)]
    rows = (prediction(i, a, reference=labels[i]) for i, a in enumerate(answers))
    return Predictions(model, tuple(replace(row, label=row.reference) for row in rows))


@pytest.fixture(scope="module")
def scores() -> Scores:
    best = [row.reference for row in classified("x", ["?"] * 60).rows]
    models = {
        "base": classified("base", ["退款"] * 60),
        "candidate": classified("candidate", [*best[:57], "?", "?", "?"]),
    }
    return score_models(models, "zh", SECTION, seed=3)


def test_models_are_compared_by_their_labels(scores: Scores) -> None:
    assert scores.metrics[:2] == ("label_accuracy", "macro_f1")
    assert scores.models["base"]["label_accuracy"].value == pytest.approx(2 / 3)
    assert scores.models["base"]["macro_f1"].value == pytest.approx(0.8 / 2)
    assert scores.models["candidate"]["label_accuracy"].value == pytest.approx(0.95)
    assert scores.differences["base"]["macro_f1"].absolute.low > 0.3
    assert Scores.from_json(scores.to_json()).metrics == scores.metrics


def test_the_report_and_the_gate_read_them_as_shares(scores: Scores) -> None:
    rules = (LimitRule(rule="at_least", metric="macro_f1", limit=0.9),)
    verdict = judge(scores, GateSection(rules=rules))
    assert verdict.verdict == "promote"
    report = Report("m", "now", verdict, scores)
    for text in (render_report(report), render_markdown(report)):
        assert "Label accuracy" in text
        assert "95.0\N{NO-BREAK SPACE}%" in text


def test_without_labels_they_are_left_out_and_a_rule_on_them_is_inconclusive() -> None:
    rows = tuple(replace(row, label=None) for row in classified("x", ["退款"] * 60).rows)
    found = score_models(
        {"base": Predictions("base", rows), "candidate": Predictions("candidate", rows)},
        *("zh", SECTION),
    )
    assert "macro_f1" not in found.models["candidate"]
    assert "macro_f1" not in found.metrics
    rules = (LimitRule(rule="at_least", metric="macro_f1", limit=0.1),)
    verdict = judge(found, GateSection(rules=rules))
    assert verdict.verdict == "inconclusive"
    assert "Macro-F1" not in render_markdown(Report("m", "now", judge(found, GateSection()), found))


def test_labels_survive_parquet(tmp_path: Path) -> None:
    predictions = classified("candidate", ["退款"] * 60)
    predictions.write(tmp_path)
    assert read_predictions(tmp_path, ["candidate"])["candidate"] == predictions
