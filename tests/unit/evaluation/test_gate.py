from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.evaluation.bootstrap import Estimate
from sluice.evaluation.gate import judge, more_rows
from sluice.evaluation.score_table import Difference, Scores
from sluice.evaluation.verdict import Verdict
from sluice.recipe import BetterRule, GateSection, LimitRule, NotWorseRule
from tests.unit.evaluation.made_up import exact

MakeScores = Callable[..., Scores]
DEFAULT = GateSection()
NAN = float("nan")
BETTER = BetterRule(rule="better", metric="rouge_l")
LOWER = BetterRule(rule="better", metric="perplexity")
BLEU_KEPT = NotWorseRule(rule="not_worse", metric="bleu", margin=1.0)
PERPLEXITY_KEPT = NotWorseRule(rule="not_worse", metric="perplexity", margin=0.05, relative=True)
FEW_EMPTY = LimitRule(rule="at_most", metric="empty_rate", limit=0.02)
ENOUGH_BLEU = LimitRule(rule="at_least", metric="bleu", limit=25)


def absolute(value: float, half: float) -> Difference:
    return Difference(exact(value, half), exact(NAN))


def relative(value: float, half: float) -> Difference:
    return Difference(exact(NAN), exact(value, half))


def test_promotes_when_every_rule_passes(make_scores: MakeScores) -> None:
    verdict = judge(make_scores(), DEFAULT)
    assert verdict.verdict == "promote"
    assert (verdict.baseline, verdict.rows, verdict.rows_to_settle) == ("champion", 90, None)
    assert len(verdict.lines) == 1 + len(DEFAULT.rules)


@pytest.mark.parametrize(
    ("rule", "difference", "outcome"),
    [
        (BETTER, absolute(3, 2), "pass"),
        (BETTER, absolute(3, 3), "inconclusive"),  # the interval touches 0
        (BETTER, absolute(0, 0), "inconclusive"),  # an identical model is not a better one
        (BETTER, absolute(-3, 2), "fail"),
        (LOWER, absolute(-3, 2), "pass"),
        (LOWER, absolute(3, 2), "fail"),
        (BLEU_KEPT, absolute(0, 1), "pass"),  # one-sided bound -0.8 keeps the margin of 1
        (BLEU_KEPT, absolute(-0.5, 1), "inconclusive"),
        (BLEU_KEPT, absolute(-3, 1), "fail"),
        (BLEU_KEPT, absolute(-0.9, 0.01), "pass"),  # surely worse, but by less than the margin
        (PERPLEXITY_KEPT, relative(0.01, 0.02), "pass"),
        (PERPLEXITY_KEPT, relative(0.04, 0.03), "inconclusive"),
        (PERPLEXITY_KEPT, relative(0.2, 0.03), "fail"),
        (PERPLEXITY_KEPT, relative(-0.5, 0.03), "pass"),
    ],
)
def test_comparisons(
    make_scores: MakeScores, rule: BetterRule | NotWorseRule, difference: Difference, outcome: str
) -> None:
    scores = make_scores(differences={rule.metric: difference})
    line = judge(scores, GateSection(rules=(rule,))).lines[1]
    assert line.outcome == outcome
    assert line.reason.endswith(".")


@pytest.mark.parametrize(
    ("rule", "estimate", "outcome"),
    [
        (FEW_EMPTY, exact(0.02, 0.03), "pass"),  # on the limit keeps it; the interval is only shown
        (FEW_EMPTY, exact(0.03, 0.03), "fail"),
        (ENOUGH_BLEU, exact(25, 3), "pass"),
        (ENOUGH_BLEU, exact(24.9, 3), "fail"),
    ],
)
def test_limits(make_scores: MakeScores, rule: LimitRule, estimate: Estimate, outcome: str) -> None:
    scores = make_scores(candidate={rule.metric: estimate})
    assert judge(scores, GateSection(rules=(rule,))).lines[1].outcome == outcome


def test_one_failing_rule_rejects_whatever_the_others_say(make_scores: MakeScores) -> None:
    scores = make_scores(differences={"bleu": absolute(-9, 1), "rouge_l": absolute(0.1, 1)})
    assert judge(scores, DEFAULT).verdict == "reject"


def test_one_open_rule_is_inconclusive(make_scores: MakeScores) -> None:
    verdict = judge(make_scores(differences={"rouge_l": absolute(1, 2)}), DEFAULT)
    assert verdict.verdict == "inconclusive"
    # Half-width 2 against a distance of 1: four times the rows, so 3 x 90 more.
    assert verdict.rows_to_settle == 270


def test_no_number_of_rows_settles_an_effect_on_the_wrong_side(make_scores: MakeScores) -> None:
    verdict = judge(make_scores(differences={"rouge_l": absolute(-1, 2)}), DEFAULT)
    assert (verdict.verdict, verdict.rows_to_settle) == ("inconclusive", None)


def test_the_margin_counts_towards_the_distance() -> None:
    assert more_rows(100, exact(1, 2)) == 300
    assert more_rows(100, exact(0, 2)) is None
    assert more_rows(100, exact(1e-9, 2)) is None


def test_too_few_rows_are_inconclusive_even_if_all_rules_pass_or_fail(
    make_scores: MakeScores,
) -> None:
    good = judge(make_scores(rows=49), DEFAULT)
    bad = judge(make_scores(rows=49, differences={"bleu": absolute(-9, 1)}), DEFAULT)
    assert good.verdict == bad.verdict == "inconclusive"
    assert good.rows_to_settle == 1


def test_scores_on_different_rows_are_inconclusive(make_scores: MakeScores) -> None:
    scores = make_scores()
    for digests in ({**scores.rows_digests, "champion": "other"}, {"candidate": "same"}, {}):
        assert judge(replace(scores, rows_digests=digests), DEFAULT).verdict == "inconclusive"


def test_the_base_is_the_baseline_while_there_is_no_champion(make_scores: MakeScores) -> None:
    verdict = judge(make_scores(champion=False), DEFAULT)
    assert (verdict.verdict, verdict.baseline) == ("promote", "base")
    assert "than base" in verdict.lines[1].rule


def test_than_base_ignores_the_champion(make_scores: MakeScores) -> None:
    scores = make_scores()
    differences = {**scores.differences, "base": {"rouge_l": absolute(-3, 1)}}
    rule = BetterRule(rule="better", metric="rouge_l", than="base")
    verdict = judge(replace(scores, differences=differences), GateSection(rules=(rule,)))
    assert verdict.verdict == "reject"


def test_missing_scores_never_promote(make_scores: MakeScores) -> None:
    scores = make_scores()
    nothing = replace(scores, differences={})
    no_candidate = replace(scores, models={"base": scores.models["base"]})
    empty = replace(scores, models={}, differences={}, rows_digests={}, rows=0)
    for broken in (nothing, no_candidate, empty):
        assert judge(broken, DEFAULT).verdict == "inconclusive"


def test_a_gate_without_rules_never_promotes(make_scores: MakeScores) -> None:
    nothing = GateSection.model_construct(rules=(), min_rows=50)
    assert judge(make_scores(), nothing).verdict == "inconclusive"


FIELDS = ("value", "low", "high", "floor", "ceiling")
READ_BY_DEFAULT = ("rouge_l", "bleu", "perplexity", "empty_rate")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    metric=st.sampled_from(READ_BY_DEFAULT),
    field=st.sampled_from(FIELDS),
    value=st.sampled_from([NAN, float("inf"), float("-inf"), None]),
)
def test_what_is_not_a_number_never_promotes(
    make_scores: MakeScores, metric: str, field: str, value: float | None
) -> None:
    scores = make_scores()
    fields = scores.to_json()
    gated = [
        fields["models"]["candidate"][metric],
        fields["differences"]["champion"][metric]["absolute"],
        fields["differences"]["champion"][metric]["relative"],
    ]
    for estimate in gated:
        estimate[field] = value
    assert judge(Scores.from_json(fields), DEFAULT).verdict == "inconclusive"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.floats(-20, 20), st.floats(0, 10), st.floats(-20, 20), st.floats(0, 10))
def test_promotes_only_what_is_surely_better_and_surely_not_worse(
    make_scores: MakeScores, rouge: float, rouge_half: float, bleu: float, bleu_half: float
) -> None:
    differences = {"rouge_l": absolute(rouge, rouge_half), "bleu": absolute(bleu, bleu_half)}
    verdict = judge(make_scores(differences=differences), GateSection(rules=(BETTER, BLEU_KEPT)))
    sure = rouge - rouge_half > 0 and bleu - 0.8 * bleu_half >= -1
    assert (verdict.verdict == "promote") == sure


def test_verdict_survives_json(make_scores: MakeScores) -> None:
    verdict = judge(make_scores(differences={"rouge_l": absolute(1, 2)}), DEFAULT)
    text = json.dumps(verdict.to_json(), allow_nan=False)
    assert Verdict.from_json(json.loads(text)) == verdict
