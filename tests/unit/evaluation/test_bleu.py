from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU

from sluice.errors import EvaluationError
from sluice.evaluation.bleu import Bleu
from sluice.evaluation.tokens import BLEU_TOKENIZER, Language

WORDS = {"en": ["the", "a", "tent", "is", "30", "days,", "warm.", "&amp;", "don't", "re-use\n"]}
WORDS["zh"] = [*"帐篷退货三十天，。可以", "30", "Gore-Tex", " ", "3.5"]


def sentences(language: Language) -> st.SearchStrategy[str]:
    glue = "" if language == "zh" else " "
    return st.lists(st.sampled_from(WORDS[language]), max_size=14).map(glue.join)


@pytest.mark.parametrize("language", ["en", "zh"])
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_is_what_sacrebleu_computes(language: Language, data: st.DataObject) -> None:
    pairs = data.draw(st.lists(st.tuples(sentences(language), sentences(language)), min_size=1))
    answers, references = [a for a, _ in pairs], [r for _, r in pairs]
    expected = BLEU(tokenize=BLEU_TOKENIZER[language]).corpus_score(answers, [references]).score
    ours = Bleu(language).row_statistics(answers, references).corpus_score()
    assert ours == pytest.approx(expected, abs=1e-9)


def test_evaluate_metric_gives_the_same_and_names_the_tokenizer() -> None:
    answers, references = ["the tent is warm and dry", "yes it is"], ["the tent is warm", "yes"]
    result = Bleu("en").compute(predictions=answers, references=references)
    assert result is not None
    assert result["tokenizer"] == "13a"
    assert result["bleu"] == pytest.approx(BLEU().corpus_score(answers, [references]).score)


def test_chinese_by_hand() -> None:
    def score(answer: str, reference: str) -> float:
        return Bleu("zh").row_statistics([answer], [reference]).corpus_score()

    assert score("帐篷可以退货", "帐篷可以退货") == pytest.approx(100)
    assert score("帐篷可以退货", "明天下雨吗呢") == 0
    # One of six characters differs, at the end: precisions 5/6, 4/5, 3/4, 2/3; no brevity penalty.
    by_hand = 100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25
    assert score("帐篷可以退换", "帐篷可以退货") == pytest.approx(by_hand)


def test_short_answers_pay_the_brevity_penalty() -> None:
    score = Bleu("en").row_statistics(["a b c d"], ["a b c d e f"]).corpus_score()
    assert score == pytest.approx(100 * math.exp(1 - 6 / 4))


@pytest.mark.parametrize(("answers", "references"), [([], []), (["a"], ["a", "b"])])
def test_nothing_to_compare_is_refused(answers: list[str], references: list[str]) -> None:
    with pytest.raises(EvaluationError, match="at least one row"):
        Bleu("en").row_statistics(answers, references)


def test_never_looks_at_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = tmp_path / "bleu"
    trap.mkdir()
    (trap / "bleu.py").write_text("raise SystemExit('ran a file of the current folder')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/nonexistent")
    assert Bleu("en").compute(predictions=["a b c d"], references=["a b c d"]) is not None
    assert sorted(tmp_path.rglob("*")) == [trap, trap / "bleu.py"]
