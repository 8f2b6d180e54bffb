"""Repetition and symbols: the kernel agrees with the definition, and good answers pass."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.cleaning.clean import CleanSettings, clean_records
from sluice.data.cleaning.measures import COLUMN, NAMES, measures_of
from sluice.data.cleaning.measures_kernel import measured_at_once
from sluice.recipe import CleaningSection
from tests.unit.data.rows import row

PIECES = [
    *(
        "a",
        "b",
        "the ",
        "cat ",
        "\n",
        "\n\n",
        "#",
        ".",
        "...",
        "…",
        "- ",
        "• ",
        " ",
        "\t",
        "}",
        "|",
    ),
    *("。", "退", "货", "请", "か", "é", "ß", "9", "😀", "…\n", "long-word "),
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=60).map("".join)

LOOP = "please contact our service team by mail or phone and we will help you with it today, "
ORDER = (
    "Your order is packed within a day and leaves our store by the next morning. You will get a "
    "mail with the number of the parcel, and may follow its way on the page of the carrier. If it "
    "does not come within five days, write to us: we ask where it is, and send another one if "
    "nobody can tell. Returns are free for thirty days, tents and stoves included."
)
CHINESE = (
    "您的订单会在一天内打包，并于次日早上从仓库发出。发货后您会收到一封邮件，里面有快递单号，"
    "可以在承运商的网站上查询物流进度。如果五天内没有收到，请写信告诉我们，我们会向承运商核实，"
    "若确认丢失则免费补寄一件。三十天内可以无理由退货，帐篷和炉具也包括在内，退货运费由我们承担。"
)


def reason_of(answer: str, section: CleaningSection | None = None) -> str | None:
    settings_ = CleanSettings(section or CleaningSection())
    gone = clean_records([row(answer=answer)], settings_).gone
    return gone[0].reason if gone else None


@settings(max_examples=150, deadline=None)
@given(st.lists(texts, max_size=5), st.integers(1, 8))
def test_the_kernel_measures_what_the_definition_says(texts: list[str], least: int) -> None:
    # The first two are cut off, so that the kernel has to mind the offset of the array.
    array = pa.array(["zwei", "é", *texts])[2:]
    measured = measured_at_once(array, np.arange(len(texts)), least)
    defined = np.array([measures_of(text, least) for text in texts]).reshape(-1, len(NAMES))
    np.testing.assert_allclose(measured, defined)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["退货", "帐篷", "a b ", "。", "\n"]), min_size=5, max_size=300))
def test_they_agree_on_longer_texts_too(pieces: list[str]) -> None:
    text = "".join(pieces)
    measured = measured_at_once(pa.array([text]), np.array([0]), 1)
    np.testing.assert_allclose(measured[0], measures_of(text, 1))


def test_in_chinese_two_characters_count_as_a_word() -> None:
    measures = measures_of("退货退货退货退货", 1)
    assert measures[COLUMN["words"]] == 4
    assert measures[COLUMN["top_phrase_2"]] == 1.0  # 退货退货, three times over one another
    assert measures_of("the cat the cat", 1)[COLUMN["top_phrase_2"]] == 1.0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (LOOP * 5, "repeated_phrase"),
        ("\n".join([ORDER, *["Is there anything else?"] * 9]), "duplicate_lines"),
        ("\n\n".join([ORDER, ORDER, CHINESE]), "duplicate_lines"),
        (ORDER + "\n" + " ".join(ORDER.split()[:60]), "repeated_passages"),
        ("好的" * 60, "repeated_phrase"),
        (CHINESE + "请您稍等，" * 20, "repeated_phrase"),
        (ORDER.replace(" ", " # "), "hash_symbols"),
        ("# # ".join(ORDER.split()), "hash_symbols"),
        (ORDER.replace(" ", "... ", 30), "ellipses"),
        (" ".join(f"{i}.{i * 7 % 31}" for i in range(90)), "few_letters"),
        (" ".join(f"a{i:x}" * 9 for i in range(60)), "word_length"),
    ],
)
def test_an_answer_that_repeats_itself_or_is_made_of_signs_is_dropped(
    answer: str, reason: str
) -> None:
    assert reason_of(answer) == reason


@pytest.mark.parametrize(
    "answer",
    [
        ORDER,
        CHINESE,
        "no " * 20,  # too short to be measured: 20 words
        "哈哈哈" * 20,  # 30 words
        "\n".join(f"- {item}" for item in ORDER.split(". ")),
        "def add(a, b):\n    if a:\n        {\n        }\n        {\n        }\n    return a + b\n"
        + ORDER,
        "| size | price |\n|---|---|\n" + "\n".join(f"| {n} m | {n * 7} EUR |" for n in range(9)),
    ],
)
def test_a_good_answer_passes(answer: str) -> None:
    assert reason_of(answer) is None


def test_the_limits_are_the_recipes() -> None:
    listed = "\n".join(f"- {part}" for part in ORDER.split(". "))
    assert reason_of(listed, CleaningSection(max_bullet_lines=0.9)) == "bullet_lines"
    assert reason_of(LOOP * 5, CleaningSection(min_measured_words=500)) is None


def test_many_rows_are_judged_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(answer=a, line=i) for i, a in enumerate([LOOP * 5, ORDER, "好的" * 60, CHINESE])]
    monkeypatch.delitem(sys.modules, "sluice.data.cleaning.measures_kernel")
    few = clean_records(rows, CleanSettings())
    monkeypatch.setattr("sluice.data.cleaning.measures.KERNEL_PAYS_FROM", 0)
    monkeypatch.setattr("sluice.data.cleaning.screen.SCREEN_PAYS_FROM", 0)
    assert clean_records(rows, CleanSettings()) == few
