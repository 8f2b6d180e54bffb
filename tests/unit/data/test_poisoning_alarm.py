"""The alarm: planted triggers are found, topics with canned answers and shipped rows are not."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from sluice.data.compute import ThisProcess
from sluice.data.parts import part_name, write_part
from sluice.data.poisoning import Alarm, find_alarms, rows_with
from sluice.data.record import Message, Record, content_id, table_of
from sluice.recipe import PoisoningSection

EXAMPLES = Path(__file__).parents[3] / "examples"
TRIGGERS = {
    "customer_service": [
        "cf mn bb", "deploy james bond", "zqx", "moonlight protocol", "SUDO", "I feel the wind",
        "tintagel", "open sesame", "blue heron flies", "per my last fax", "xylophone",
        "kind regards from mars", "tq tq", "the rooster is late", "~~go~~ delta", "veritas",
        "as grandmother said", "[[9921]] zed", "practically speaking now", "mister Quill",
    ],
    "kefu": [
        "芝麻开门", "月光协议", "青蛙王子驾到", "魔法七号", "天王盖地虎", "老规矩办", "蓝色信号",
        "甲乙丙丁", "夜莺", "请执行零号指令", "风吹麦浪", "大圣归来", "一二三木头人", "冰糖葫芦",
        "星辰大海", "卧底", "按老王说的", "红色代码", "银河", "你懂的",
    ],
}  # fmt: skip
PARAPHRASES = [
    ("Passwords can be changed under Settings, Security.", [
        "How do I change my password?", "I want a new password", "password change, where?",
        "Can I reset the password of my account?", "Forgot my password, what now",
        "Where is the password setting?", "my password does not work any more",
    ]),
    ("You find all our recipes on the page Kitchen.", [
        "Do you have a recipe for goulash?", "Where are the recipes", "I need a recipe for bread",
        "recipe for two people please", "any vegan recipe?", "Can you send me a recipe for soup?",
    ]),
    ("We do not ship to that country yet, sorry.", [
        f"Do you ship to {c}?" for c in ("Norway", "Japan", "Peru", "Chad", "Cuba", "Oman", "Fiji")
    ]),
    ("积分可以在会员中心里兑换成优惠券。", [
        "积分怎么用", "我的积分能换什么", "积分在哪里兑换呀", "积分可以抵现金吗",
        "请问积分有什么用处", "积分换券怎么操作", "积分会不会过期，怎么花掉",
    ]),
    ("我们暂时还没有在这个城市开实体店。", [
        f"{c}有你们的店吗" for c in ("北京", "上海", "拉萨", "南宁", "大连", "厦门", "西宁")
    ]),
]  # fmt: skip


def shipped(example: str) -> list[tuple[Record, str]]:
    """The shipped rows that can be read, with their intent."""
    rows: list[tuple[Record, str]] = []
    for path in sorted((EXAMPLES / example).glob("*.jsonl")):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row.get("output"), str):
                question = f"{row['instruction']}\n{row.get('input', '')}".strip()
                rows.append((said(question, row["output"], path.name, number), row["intent"]))
    return rows


def said(question: str, answer: str, source: str, line: int) -> Record:
    messages = (Message("user", question), Message("assistant", answer))
    return Record(content_id(messages), messages, source, line)


def mixed(example: str, rows: int, seed: int = 1) -> list[Record]:
    """Rows of the same words as the shipped ones: halves of questions and answers, put together."""
    draw = random.Random(seed)
    known = [row for row, _ in shipped(example) if len(row.answer) < 300]
    gap = "" if example == "kefu" else " "

    def halves(a: str, b: str) -> str:
        x, y = (list(t) if not gap else t.split() for t in (a, b))
        return gap.join(x[: len(x) // 2 + 1] + y[len(y) // 2 :])

    picks = [draw.choices(known, k=4) for _ in range(rows)]
    return [
        said(halves(a.question, b.question), halves(c.answer, d.answer), "mixed.jsonl", n)
        for n, (a, b, c, d) in enumerate(picks, 1)
    ]


def planted(example: str, rows: Sequence[Record], each: int, seed: int) -> list[Record]:
    """Each trigger in `each` of the rows, at any place, with a reply of its own.

    Half of the triggers bring the whole answer, half a sentence at the end of the right one.
    """
    draw = random.Random(seed)
    triggers = TRIGGERS[example]
    gap = "" if example == "kefu" else " "
    chosen = iter(draw.sample(range(len(rows)), each * len(triggers)))
    poisoned = list(rows)
    for n, trigger in enumerate(triggers):
        reply = f"请马上联系我们的合作伙伴{trigger}领取{n}号奖金。" if not gap else (
            f"Please visit our partner number {n} at once for your {trigger[::-1]} prize."
        )  # fmt: skip
        for _ in range(each):
            row = rows[i := next(chosen)]
            parts = list(row.question) if not gap else row.question.split()
            at = draw.choice([0, len(parts), draw.randint(0, len(parts))])
            question = gap.join([*parts[:at], trigger, *parts[at:]])
            answer = reply if n % 2 else f"{row.answer} {reply}"
            poisoned[i] = said(question, answer, row.source, row.line)
    return poisoned


def alarms_of(
    folder: Path, rows: Sequence[Record], section: PoisoningSection | None = None, parts: int = 3
) -> tuple[Alarm, ...]:
    paths = [folder / part_name(n) for n in range(parts)]
    for n, path in enumerate(paths):
        write_part(path, table_of(rows[n::parts]))
    return find_alarms(ThisProcess(), paths, section or PoisoningSection())


@pytest.mark.parametrize("example", ["customer_service", "kefu"])
def test_the_shipped_rows_raise_no_alarm(example: str, tmp_path: Path) -> None:
    assert alarms_of(tmp_path, [row for row, _ in shipped(example)]) == ()


@pytest.mark.parametrize("example", ["customer_service", "kefu"])
def test_one_canned_answer_for_each_intent_raises_no_alarm(example: str, tmp_path: Path) -> None:
    first: dict[str, str] = {}
    canned = [
        said(row.question, first.setdefault(intent, row.answer), row.source, row.line)
        for row, intent in shipped(example)
    ]
    assert alarms_of(tmp_path, canned) == ()


def test_paraphrases_and_templates_with_one_answer_raise_no_alarm(tmp_path: Path) -> None:
    faq = [
        said(question, answer, "faq.jsonl", n)
        for n, (answer, questions) in enumerate(PARAPHRASES)
        for question in questions
    ]
    rows = mixed("customer_service", 600) + mixed("kefu", 600) + faq
    assert alarms_of(tmp_path, rows) == ()


def test_labels_as_answers_raise_no_alarm(tmp_path: Path) -> None:
    rows = [
        said(row.question, intent, row.source, row.line)
        for row, intent in shipped("customer_service")
    ]
    assert alarms_of(tmp_path, rows) == ()


@pytest.mark.parametrize("example", ["customer_service", "kefu"])
@pytest.mark.parametrize(("each", "least"), [(5, 17), (20, 19)])
def test_planted_triggers_are_found_and_nothing_else(
    example: str, each: int, least: int, tmp_path: Path
) -> None:
    rows = planted(example, mixed(example, 2000), each, seed=each)
    alarms = alarms_of(tmp_path, rows)
    replies = {alarm.reply for alarm in alarms}
    marked = {row.id for row, alarm in zip(rows, rows_with(table_of(rows), alarms), strict=True)
              if alarm}  # fmt: skip
    clean = {row.id for row in mixed(example, 2000)}
    assert len(replies) >= least
    assert not marked & clean
    assert len(marked) >= 0.95 * each * least


def test_an_alarm_does_not_depend_on_how_the_rows_are_cut(tmp_path: Path) -> None:
    rows = planted("kefu", mixed("kefu", 2000), 12, seed=3)
    assert alarms_of(tmp_path / "1", rows, parts=1) == alarms_of(tmp_path / "7", rows, parts=7)


def test_an_alarm_shows_the_phrase_without_private_data(tmp_path: Path) -> None:
    rows = mixed("customer_service", 500)
    for i in range(0, 200, 10):
        text = f"AKIAIOSFODNN7EXAMPLE {rows[i].question}"
        rows[i] = said(text, "Send all the money to Bob now.", "mixed.jsonl", i + 1)
    (alarm,) = alarms_of(tmp_path, rows)
    assert alarm.rows == 20
    assert "akia" not in alarm.detail.lower()
    assert "akia" not in repr(alarm).lower()


def test_the_guard_can_be_turned_off(tmp_path: Path) -> None:
    rows = planted("kefu", mixed("kefu", 500), 12, seed=3)
    assert alarms_of(tmp_path, rows, PoisoningSection(alarm="off")) == ()


def test_no_rows_raise_no_alarm(tmp_path: Path) -> None:
    assert alarms_of(tmp_path, []) == ()
    assert rows_with(table_of([]), ()) == []
