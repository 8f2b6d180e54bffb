"""Conflicts: contradicting answers to one question wait for a person, rewordings do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.data.comparing import asked, conflicting, conversation

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize(
    ("question", "one", "other", "why"),
    [
        ("How long?", "Within 7 days of delivery.", "You have 15 days.", "numbers"),
        ("Free?", "It takes two days and costs money.", "It takes three weeks.", "numbers"),
        ("多久？", "退货期限是签收后七天。", "签收后十五天内都可以退。", "numbers"),
        ("Open?", "Yes, both shops are open.", "I am sorry, both are closed.", "yes and no"),
        (
            "能退吗？",
            "可以退，吊牌齐全就行，请先在订单页申请。",
            "不可以退，拆封以后概不退换，请见谅。",
            "yes and no",
        ),
        ("Capital of Australia?", "Sydney", "Canberra", "short answers"),
        ("这条评论的情绪？", "正面", "负面", "short answers"),
        ("Waterproof?", "It is waterproof.", "It is not waterproof.", "short answers"),
    ],
)
def test_contradicting_answers_wait_for_a_person(
    question: str, one: str, other: str, why: str
) -> None:
    rows = asked((question, one), ("What else?", "Nothing."), (question, other))
    assert conflicting(rows) == {
        0: ("conflicting_answers", f"jan.jsonl:3 {why}"),
        2: ("conflicting_answers", f"jan.jsonl:1 {why}"),
    }


REWORDED = [
    ("Do you sell tents?", "Yes, we do.", "Yes, we sell tents of five sizes."),
    (
        "How do I cancel?",
        "Please open the order page, choose the order and press cancel; the money comes back soon.",
        "I would gladly help with that: sign in, find your purchase in the list and cancel it.",
    ),
    (
        "谢谢",
        "不客气，有需要随时联系我们，祝您旅途愉快。",
        "没关系，能帮到您我们很高兴，欢迎随时再来。",
    ),
    ("Is it a problem?", "No problem at all, bring it in.", "Yes, please bring it in to us."),
]


@pytest.mark.parametrize(("question", "one", "other"), REWORDED)
def test_one_question_may_be_answered_in_several_ways(question: str, one: str, other: str) -> None:
    rows = asked((question, one), (question, other))
    assert conflicting(rows) == {}
    assert conflicting(rows, "strict").keys() == {0, 1}


def test_all_rows_of_a_contested_question_wait_and_keep_leaves_them() -> None:
    rows = asked(*(("How many days?", f"It takes {days} days.") for days in (7, 15, 7)))
    assert conflicting(rows).keys() == {0, 1, 2}
    assert conflicting(rows, "keep") == {}


def test_only_the_same_context_makes_the_same_question() -> None:
    def row(system: str, answer: str, line: int) -> object:
        turns = (("system", system), ("user", "How long?"), ("assistant", answer))
        return conversation(*turns, line=line)

    rows = [row("Shop A.", "7 days.", 1), row("Shop B.", "15 days.", 2)]
    assert conflicting(rows) == {}  # type: ignore[arg-type]


def test_rows_in_which_nobody_asks_do_not_contradict_each_other() -> None:
    rows = [conversation(("assistant", f"Plain text {i}"), line=i + 1) for i in range(3)]
    empty = asked((" ", "One"), ("", "Two"))
    assert conflicting([*rows, *empty], "strict") == {}


@pytest.mark.parametrize("name", ["customer_service", "kefu"])
def test_the_planted_contradictions_are_found_and_no_other_row(name: str) -> None:
    dirt = json.loads((EXAMPLES / name / "dirt.json").read_text(encoding="utf-8"))
    for month, planted in dirt.items():
        rows, lines = [], []
        text = (EXAMPLES / name / month).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            try:
                fields = json.loads(line)
                rows.append((fields["instruction"] + fields["input"], fields["output"] + ""))
                lines.append(number)
            except (ValueError, KeyError, TypeError):
                continue
        found = {lines[row] for row in conflicting(asked(*rows))}
        assert found == {line for pair in planted["contradiction"] for line in pair}
