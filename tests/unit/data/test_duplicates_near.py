"""Near copies: copies with small changes go, rows that say something else stay."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.data.duplicates.bands import RECALL, bands_for
from sluice.data.duplicates.compare import SHORT_TOKENS, is_slip, same_words, shared_shingles
from sluice.data.duplicates.lexicon import EMPTY, WORDS
from sluice.data.duplicates.pairs import FIRST_OF_BUCKET, Keep, pairs_in
from sluice.data.record import Record
from sluice.data.similarity import tokens_of
from sluice.data.similarity.fold import fold_texts
from tests.unit.data.comparing import asked, conversation, near, pa

EXAMPLES = Path(__file__).parents[3] / "examples"
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


CITIES = [
    f"{a}{b}"
    for a in ("Nor", "Sud", "Val", "Ker", "Mon", "Lin")
    for b in (
        "ville",
        "dorf",
        "stad",
        "heim",
        "ton",
        "port",
        "wick",
        "mouth",
        "bridge",
        "field",
        "burg",
        "minster",
        "ham",
        "ness",
        "by",
        "thorpe",
        "worth",
        "ford",
    )
][:107]
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
    names = zip(CITIES, [*CITIES[1:], CITIES[0]], strict=True)
    rows = asked(*((question.format(a), answer.format(a, b[::-1])) for a, b in names))
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


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(sentences, sentences), max_size=8), st.integers(1, 4))
def test_how_rows_are_cut_into_parts_cannot_be_seen(
    tmp_path: Path, pairs: list[tuple[str, str]], parts: int
) -> None:
    rows = asked(*pairs)
    whole = near(rows, tmp_path / "whole", 0.5, parts=1)
    assert near(rows, tmp_path / "parts", 0.5, parts=parts) == whole


@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_find_what_is_at_the_threshold(similarity: float) -> None:
    bands, length = bands_for(similarity)
    assert 1 - (1 - similarity**length) ** bands >= RECALL


def test_a_key_that_many_rows_share_costs_a_bounded_number_of_comparisons() -> None:
    count = 5000
    columns = {
        "row": np.arange(count),
        "key": np.zeros(count, np.uint64),
        "answer_bytes": [1] * count,
    }
    pairs = pairs_in(pa.table(columns), "first", [0, 2500])
    assert pairs.num_rows <= (FIRST_OF_BUCKET + 4) * count
    assert set(pairs.column("row_b").to_pylist()) == set(range(1, count))
    assert all(
        a < b
        for a, b in zip(*(pairs.column(n).to_pylist() for n in ("row_a", "row_b")), strict=True)
    )
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


@settings(max_examples=200, deadline=None)
@given(st.lists(sentences, min_size=1, max_size=4), st.lists(sentences, min_size=1, max_size=4))
def test_shingles_and_words_are_compared_as_by_hand(a: list[str], b: list[str]) -> None:
    folded_a, folded_b = (fold_texts(pa.array(texts, pa.string())) for texts in (a, b))
    rows = np.array([(i, j) for i in range(len(a)) for j in range(len(b))]).T
    counts = shared_shingles(folded_a, folded_b, *rows)
    same = same_words(folded_a, folded_b, *rows)
    for (i, j), (shared, union), alike in zip(rows.T, counts.tolist(), same, strict=True):
        of_a, of_b = pairs_of(telling_words(a[i])), pairs_of(telling_words(b[j]))
        assert (shared, union) == (len(of_a & of_b), len(of_a | of_b))
        if not (folded_a.unspaced[i] or folded_b.unspaced[j]):
            assert bool(alike) == same_words_by_hand(telling_words(a[i]), telling_words(b[j]))


def telling_words(text: str) -> list[str]:
    return [word for word in tokens_of(text) if word not in WORDS[EMPTY].split()]


def pairs_of(words: list[str]) -> set[tuple[str, ...]]:
    return {tuple(words[i : i + 2]) for i in range(max(1, len(words) - 1))} if words else set()


def same_words_by_hand(words_a: list[str], words_b: list[str]) -> bool:
    only_a, only_b = Counter(words_a) - Counter(words_b), Counter(words_b) - Counter(words_a)
    if min(len(words_a), len(words_b)) <= SHORT_TOKENS:
        return not only_a and not only_b
    return not only_a or not only_b  # no two words of the sentences are slips of each other


@pytest.mark.parametrize("name", ["customer_service", "kefu"])
def test_the_planted_near_duplicates_go_and_no_other_row(name: str, tmp_path: Path) -> None:
    for month, planted in json.loads((EXAMPLES / name / "dirt.json").read_text("utf-8")).items():
        rows = rows_of(EXAMPLES / name / month)
        lines = [row.line for row in rows]
        gone = {lines[row] for row in near(rows, tmp_path)} - {
            line for line, _ in planted["exact_duplicate"]
        }
        # "Which countries do you send packages to?" for "parcels": another word, as "tents" is.
        hidden = {106} if (name, month) == ("customer_service", "2026-09.jsonl") else set()
        assert gone == {line for line, _ in planted["near_duplicate"]} - hidden


def rows_of(path: Path) -> list[Record]:
    rows: list[Record] = []
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            fields = json.loads(text)
            turns = (("user", fields["instruction"]), ("assistant", fields["output"] + ""))
        except (ValueError, KeyError, TypeError):
            continue  # planted dirt
        rows.append(conversation(*turns, line=line))
    return rows
