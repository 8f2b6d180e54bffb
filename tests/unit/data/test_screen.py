"""The quick look over many texts never misses one that a repair would change."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.data.cleaning import screen
from sluice.data.cleaning.clean import CleanSettings
from sluice.data.cleaning.text import repair_text
from sluice.recipe import CleaningSection

PIECES = [
    *(
        "<b>",
        "</s>",
        "&lt;",
        "<|x|>",
        "<｜x｜>",
        "[INST]",
        "【结束】",
        "END",
        "!!!!",
        "。。。。",
        "----",
    ),
    *(
        " ",
        "\n",
        "\t",
        "\r",
        "\x07",
        "\x7f",
        "\x85",
        "\xa0",
        "\u3000",
        "\u200b",
        "\u0301",
        "\u3099",
    ),
    *(
        "a",
        "1",
        "é",
        "Ã",
        "©",
        "â€™",
        "ä½",
        "å¥½",
        "한",
        "か",
        "退",
        "锛",
        "銆",
        "的",
        "👩",
        "\u200d",
        "🏽",
    ),
    *("*", "#", "`", "[a](b)", "_a_", "~~a~~", "> ", "·", "…", "～", "Ａ", "①", "ﬁ"),
]
texts = st.lists(st.sampled_from(PIECES) | st.characters(codec="utf-8"), max_size=5).map("".join)
SETTINGS = [
    CleanSettings(special_tokens=("【结束】", "END", "é")),
    CleanSettings(CleaningSection(markdown="strip", max_punctuation_run=1)),
    CleanSettings(CleaningSection(unicode_form="NFKC")),
]


@pytest.fixture(autouse=True)
def at_any_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "SCREEN_PAYS_FROM", 0)


@pytest.mark.parametrize("clean", SETTINGS)
@settings(max_examples=300, deadline=None)
@given(batch=st.lists(texts, min_size=1, max_size=40))
def test_a_text_that_is_not_named_needs_no_repair(clean: CleanSettings, batch: list[str]) -> None:
    named = set(screen.suspects(pa.array(["x", *batch])[1:], clean).tolist())
    for i, text in enumerate(batch):
        if i not in named:
            assert repair_text(text, clean).text == text


def test_characters_that_count_as_calm_are() -> None:
    calm = np.flatnonzero(screen._calm((), "NFC"))
    assert len(calm) > 30_000
    restless = [
        c
        for c in calm
        if repair_text(f"a{chr(c)}b{chr(c)}退", SETTINGS[0]).repairs - {"special_tokens"}
    ]
    assert restless == []


@pytest.mark.parametrize(
    "text",
    [
        "Yes, we sell tents of five sizes: S, M, L, XL and XXL.\n\n- **S** costs 10 €\n- `M` 20 €",
        "卖的！我们有五种尺寸：小、中、大、加大。“特大”要预订……请写信给我们。",
        "Größe, façade, naïve — “quoted”, it’s 5 × 3 😀",
    ],
)
def test_ordinary_text_is_not_named(text: str) -> None:
    assert screen.suspects(pa.array([text]), CleanSettings()).tolist() == []
