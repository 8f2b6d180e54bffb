"""Near copies: copies with small changes go, rows that say something else stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.data.duplicates.bands import RECALL, bands_for
from sluice.data.duplicates.pairs import FIRST_OF_BUCKET, Keep, pairs_in
from sluice.data.duplicates.slips import is_slip
from tests.unit.data.comparing import asked, conversation, near, pa

QUESTION = "Could you tell me how long I have to send back a tent that I bought in your shop?"
ANSWER = (
    "You may send it back within forty days. It must be unused and in its bag. "
    "Please put the receipt into the parcel, so that we can find your order."
)
FRAGE = "请问在你们店里买的双人帐篷如果没有打开用过，多少天以内可以申请退货？"
ANTWORT = "签收后十五天内都可以退。吊牌要齐全，包装不能拆。请把小票一起放进包裹，方便我们查到订单。"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (QUESTION.upper(), ANSWER.replace(".", "!")),
        (f"Hello, {QUESTION}", ANSWER),
        (QUESTION, ANSWER.replace("the receipt", "the receipt please")),
        (QUESTION, ANSWER.replace("receipt", "reciept")),
        (QUESTION, ANSWER.replace("parcel", "parcell")),
        (
            QUESTION,
            "It must be unused and in its bag. You may send it back within forty days. "
            "Please put the receipt into the parcel, so that we can find your order.",
        ),
    ],
)
def test_small_changes_make_a_near_copy(question: str, answer: str, tmp_path: Path) -> None:
    found = near(asked((QUESTION, ANSWER), (question, answer)), tmp_path)
    assert found.keys() == {1}
    reason, detail = found[1]
    assert reason == "near_duplicate"
    assert detail.startswith("jan.jsonl:1 0.") or detail == "jan.jsonl:1 1.00"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (FRAGE.replace("请问", ""), ANTWORT),
        (FRAGE.replace("？", "?"), ANTWORT.replace("。", "；")),
        (FRAGE, ANTWORT.replace("方便我们", "就方便我们")),
        (FRAGE.replace("退货", "退货呢"), ANTWORT),
        (FRAGE, "吊牌要齐全，包装不能拆。" + ANTWORT.replace("吊牌要齐全，包装不能拆。", "")),
    ],
)
def test_small_changes_make_a_near_copy_in_chinese(
    question: str, answer: str, tmp_path: Path
) -> None:
    found = near(asked((FRAGE, ANTWORT), (question, answer)), tmp_path)
    # The last case moves the only negative word, and no number: it is still the same.
    assert found.keys() == {1}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (QUESTION, ANSWER.replace("forty", "fifty")),
        (QUESTION, ANSWER.replace("must be", "must not be")),
        (QUESTION, ANSWER.replace("bag", "box")),
        (QUESTION.replace("tent", "stove"), ANSWER),
        (QUESTION.replace("tent", "tent and a stove and its pans and a lamp"), ANSWER),
        (QUESTION, "No."),
    ],
)
def test_another_number_word_or_negation_is_another_row(
    question: str, answer: str, tmp_path: Path
) -> None:
    assert near(asked((QUESTION, ANSWER), (question, answer)), tmp_path) == {}


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (FRAGE, ANTWORT.replace("十五", "十七")),
        (FRAGE, ANTWORT.replace("十五", "15")),
        (FRAGE, ANTWORT.replace("都可以", "都不可以")),
        (FRAGE.replace("帐篷", "睡袋"), ANTWORT),
        (FRAGE.replace("双", "单"), ANTWORT),
    ],
)
def test_another_number_word_or_negation_is_another_row_in_chinese(
    question: str, answer: str, tmp_path: Path
) -> None:
    assert near(asked((FRAGE, ANTWORT), (question, answer)), tmp_path) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("price 1.5 euros", "price 15 euros"),
        ("A costs 10, B costs 20", "A costs 20, B costs 10"),
        ("is x > y", "is x < y"),
        ("learn C#", "learn C"),
        ("it is -5 degrees", "it is 5 degrees"),
        ("价格是1.5元", "价格是15元"),
    ],
)
def test_numbers_and_signs_must_be_the_same_where_words_are(
    one: str, other: str, tmp_path: Path
) -> None:
    assert near(asked((QUESTION, one), (QUESTION, other)), tmp_path) == {}


CITIES = [f"{a}{b}" for a in ("Nor", "Sud", "Val", "Ker", "Mon", "Lin") for b in ("ville", "dorf",
          "stad", "heim", "ton", "port", "wick", "mouth", "bridge", "field", "burg", "minster",
          "ham", "ness", "by", "thorpe", "worth", "ford")][:107]
TEMPLATES = [
    ("What is the capital of {}?", "The capital of {} is {}."),
    (
        "I would like to know, for a quiz that we are going to hold at our school next week, what "
        "the capital of the old kingdom of {} is called today by the people who live there.",
        "Thank you for asking. The capital of the old kingdom of {} is called {} by the people who "
        "live there today, as you can read in any of the older travel books in our library.",
    ),
    ("{}的首都是哪里？", "{}的首都是{}。"),
    (
        "您好，我们学校下周要办一场知识竞赛，想请教一下古代王国{}的首都在今天当地居民的口中叫什么？",
        "感谢您的提问。古代王国{}的首都在今天当地居民的口中叫做{}，馆里比较老的游记都有记载。",
    ),
    ("How much is the {} tent?", "The {} tent costs 100 euros and weighs two kilos, as {} does."),
]  # fmt: skip


@pytest.mark.parametrize("template", TEMPLATES)
def test_rows_of_one_template_all_survive(template: tuple[str, str], tmp_path: Path) -> None:
    question, answer = template
    rows = asked(
        *((question.format(a), answer.format(a, b[::-1])) for a, b in zip(CITIES, CITIES[1:] + CITIES[:1], strict=True))
    )  # fmt: skip
    assert len(rows) == 107
    assert near(rows, tmp_path) == {}


def test_a_price_list_survives(tmp_path: Path) -> None:
    rows = asked(*((QUESTION, f"{ANSWER} It costs {price} euros.") for price in range(60)))
    assert near(rows, tmp_path) == {}


def test_rows_of_other_contexts_are_not_compared(tmp_path: Path) -> None:
    rows = [
        conversation(
            ("system", system), ("user", "hi"), ("assistant", "yes"), ("user", QUESTION),
            ("assistant", ANSWER), line=line,
        )
        for line, system in enumerate(("Shop A.", "Shop B.", "shop a."), 1)
    ]  # fmt: skip
    assert near(rows, tmp_path) == {2: ("near_duplicate", "jan.jsonl:1 1.00")}


@pytest.mark.parametrize(
    ("keep", "gone"), [("first", {1, 2}), ("last", {0, 1}), ("longest", {0, 2})]
)
def test_the_policy_says_which_of_near_rows_stays(
    keep: Keep, gone: set[int], tmp_path: Path
) -> None:
    answers = (ANSWER, f"{ANSWER} Thanks.", f"{ANSWER}")
    assert near(asked(*((QUESTION, a) for a in answers)), tmp_path, keep=keep).keys() == gone


def test_rows_without_any_word_are_no_near_copies(tmp_path: Path) -> None:
    assert near(asked(("?", "!"), ("??", "!!")), tmp_path) == {}


words = st.sampled_from(["a", "the", "tent", "stove", "please", "not", "2", "帐篷", "costs", "."])
sentences = st.lists(words, max_size=12).map(" ".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(sentences, sentences), max_size=8), st.integers(1, 4))  # fmt: skip
def test_how_rows_are_cut_into_parts_cannot_be_seen(
    pairs: list[tuple[str, str]], parts: int, tmp_path: Path
) -> None:
    rows = asked(*pairs)
    assert near(rows, tmp_path / "one", 0.5, parts=1) == near(rows, tmp_path / "more", 0.5, parts=parts)


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_find_what_is_at_the_threshold(similarity: float) -> None:
    bands, length = bands_for(similarity)
    assert 1 - (1 - similarity**length) ** bands >= RECALL


def test_a_key_that_many_rows_share_costs_a_bounded_number_of_comparisons() -> None:
    count = 5000
    columns = {"row": np.arange(count), "key": np.zeros(count, np.uint64), "answer_bytes": [1] * count}
    pairs = pairs_in(pa.table(columns), "first", [0, 2500])
    assert pairs.num_rows <= (FIRST_OF_BUCKET + 4) * count
    assert set(pairs.column("row_b").to_pylist()) == set(range(1, count))
    assert all(a < b for a, b in zip(*(pairs.column(n).to_pylist() for n in ("row_a", "row_b")), strict=True))
    assert set(pairs.column("key").to_pylist()) == {0, 1}


@pytest.mark.parametrize(
    ("a", "b", "slip"),
    [
        ("receipt", "reciept", True),
        ("receipt", "receit", True),
        ("receipt", "receipts", True),
        ("receipt", "receopt", True),
        ("gambia", "zambia", False),
        ("tent", "tint", False),
        ("receipt", "receipt", True),
        ("monday", "sunday", False),
    ],
)
def test_a_slip_is_one_letter_of_a_long_word(a: str, b: str, slip: bool) -> None:
    assert is_slip(a, b) is is_slip(b, a) is slip
