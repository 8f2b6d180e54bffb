from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sluice.data.funnel import Stage
from sluice.evaluation.bootstrap import Estimate
from sluice.evaluation.charts import forest_bar, loss_chart, nice_ticks
from sluice.evaluation.gate import judge
from sluice.evaluation.markdown import escaped, render_markdown
from sluice.evaluation.report import Report, render_report
from sluice.evaluation.samples import Sample, pick_samples
from sluice.evaluation.score_table import Difference, Scores
from sluice.recipe import GateSection
from tests.unit.evaluation.made_up import exact, predictions

EVIL = "<script>alert(1)</script> \"'& | `x`"
VOID = {"meta", "br", "line", "circle", "polyline"}
MakeScores = Callable[..., Scores]


def make_report(scores: Scores, text: str = "warm tent") -> Report:
    answers = {"base": "", "champion": text, "candidate": text}
    return Report(
        model=text,
        created="2026-11-22 10:00",
        verdict=judge(scores, GateSection()),
        scores=scores,
        facts=((text, text),),
        funnel=(Stage(text, 1320, ((text, 20),)), Stage("clean", 1300)),
        train_loss=((1, 3.0), (10, 1.0)),
        validation_loss=((10, 1.5),),
        samples=(Sample("1", text, text, answers),),
        digests=((text, "ab" * 32),),
        links=(("MLflow", "http://127.0.0.1:5000/#/x"), ("bad", "javascript:alert(1)")),
    )


class Balanced(HTMLParser):
    """Checks that tags close in the order in which they opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("champion", [True, False])
def test_is_one_well_formed_page_that_fetches_nothing(
    make_scores: MakeScores, champion: bool
) -> None:
    html = render_report(make_report(make_scores(champion=champion)))
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    assert not re.search(r"<script|<link|<img|@import|url\(|src=", html)
    assert ("Champion</th>" in html) == champion


def test_every_text_is_escaped(make_scores: MakeScores) -> None:
    html = render_report(make_report(make_scores(), EVIL))
    assert "<script" not in html
    assert "javascript:" not in html
    assert html.count("&lt;script&gt;") >= 8


def test_says_what_language_its_texts_are_in(make_scores: MakeScores) -> None:
    scores = replace(make_scores(), language="zh")
    html = render_report(make_report(scores, "帐篷可以退货吗？"))
    assert '<html lang="en">' in html
    assert '<p class="text" lang="zh-Hans">帐篷可以退货吗？</p>' in html


def test_shows_the_verdict_the_numbers_and_what_is_missing(make_scores: MakeScores) -> None:
    scores = make_scores(differences={"bleu": Difference(exact(float("nan")), exact(1))})
    html = render_report(make_report(scores))
    for text in ("? Inconclusive", "1 of 5 rules is undecided", "no interval", "empty answer"):
        assert text in html
    assert "1,320" in html
    assert "−20 warm tent" in html


def test_a_report_with_nothing_but_scores_renders(make_scores: MakeScores) -> None:
    scores = make_scores()
    bare = Report("m", "now", judge(scores, GateSection()), scores)
    assert "Answers side by side" not in render_report(bare)
    assert "## Promote" in render_markdown(bare)


def test_markdown_cells_cannot_break_out(make_scores: MakeScores) -> None:
    assert escaped("a|b\n<c> **d**") == r"a\|b &lt;c&gt; \*\*d\*\*"
    assert len(escaped("长" * 500)) == 240
    text = render_markdown(make_report(make_scores(), EVIL))
    assert "<script" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    columns = {len(re.findall(r"(?<!\\)\|", line)) for line in tables}
    assert columns == {4, 5}  # differences, scores


def test_markdown_shows_rules_scores_and_differences(make_scores: MakeScores) -> None:
    text = render_markdown(make_report(make_scores()))
    assert "- **pass**: ROUGE-L better than champion." in text
    assert "| BLEU ↑ | 30.0 | 30.0 | 30.0 |" in text
    assert "| BLEU ↑ | **+5.0** | \\[+3.0, +7.0\\] |" in text


def test_right_is_better_in_forest_bars() -> None:
    def middle(bar: str) -> float:
        found = re.search(r'<circle cx="([0-9.]+)"', bar)
        assert found
        return float(found[1])

    drop = exact(-1, 0.5)
    assert middle(forest_bar(drop, 2, lower_is_better=True)) > 75
    assert middle(forest_bar(drop, 2, lower_is_better=False)) < 75
    assert 'class="forest good"' in forest_bar(drop, 2, lower_is_better=True)
    broken = Estimate(1, float("nan"), 2, 1, 2)
    assert "no interval" in forest_bar(broken, 2, lower_is_better=False)


def test_loss_chart_survives_odd_points() -> None:
    assert loss_chart((), ()) == ""
    assert "polyline" in loss_chart(((0, 2.0),), ())
    assert "nan" not in loss_chart(((1, 2.0), (2, float("nan")), (3, 1.0)), ((3, 1.0),))
    assert nice_ticks(0.3, 2.9) == [0, 1, 2, 3]


def test_samples_are_the_same_rows_whoever_answers() -> None:
    first = pick_samples({"base": predictions("base", [f"b{i}" for i in range(9)])}, 3)
    again = pick_samples({"candidate": predictions("c", [f"c{i}" for i in range(9)])}, 3)
    assert [s.id for s in first] == [s.id for s in again]
    assert len({s.id for s in first}) == 3
    assert again[0].answers == {"candidate": f"c{again[0].id.removeprefix('row-')}"}
