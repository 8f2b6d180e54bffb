"""Encoding damage: mended where that is sure, counted where it is not; sound text stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.data.cleaning.encoding import damaged_characters, may_be_damaged, mended

SOUND = [
    "价格：五十元，的确是我的。可以用吗？",
    "Ça va très bien, naïve façade: Größe 5 × 3 à 10 €",
    "水很烫，屯了三箱浣熊玩具，涓涓细流。",
    "ПРИВЕТ, МИР! Ελληνικά, Türkçe ığüş, Tiếng Việt",
    "Das kostet 5 € – „billig“, sagt er…",
]


@pytest.mark.parametrize("text", SOUND)
def test_sound_text_is_left_alone(text: str) -> None:
    assert mended(text) == text
    assert damaged_characters(text) == 0


@pytest.mark.parametrize(
    "text", ["你好，世界。我可以的。", "Größe und façade", "it’s “quoted” – so…"]
)
@pytest.mark.parametrize("read_as", ["latin-1", "cp1252"])
def test_utf8_that_was_read_as_something_else_is_mended(text: str, read_as: str) -> None:
    damaged = text.encode().decode(read_as, errors="ignore" if read_as == "cp1252" else "strict")
    lossless = read_as == "latin-1" or damaged.encode(read_as) == text.encode()
    assert damaged_characters(damaged) > 0
    if lossless:
        assert mended(damaged) == text


@pytest.mark.parametrize(
    "text", ["我们的帐篷，质量是好的，价格也是", "可以的，是的，谢谢您 (OK)", "您的订单，是我们的a"]
)
def test_utf8_that_was_read_as_gbk_is_mended_where_no_byte_is_lost(text: str) -> None:
    damaged = text.encode().decode("gb18030")
    assert damaged_characters(damaged) > 0
    assert mended(damaged) == text
    assert damaged_characters(mended(f"{damaged}锛?")) > 0  # a byte was lost, and shows as `?`


@pytest.mark.parametrize(
    ("text", "count"),
    [("a\ufffdb", 1), ("锟斤拷锟斤拷", 6), ("烫烫烫烫", 4), ("屯屯屯", 3), ("烫烫", 0)],
)
def test_what_cannot_be_mended_is_counted(text: str, count: int) -> None:
    assert mended(text) == text
    assert damaged_characters(text) == count


@given(st.text() | st.text(alphabet="ÃÂ©â€™锛銆\ufffd锟斤拷烫a你"))
def test_the_quick_look_misses_nothing(text: str) -> None:
    if not may_be_damaged(text):
        assert mended(text) == text
        assert damaged_characters(text) == 0
