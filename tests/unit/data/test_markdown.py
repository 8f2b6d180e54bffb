"""Markdown is kept, or stripped to its text; code is left alone by the other repairs."""

from __future__ import annotations

import pytest

from sluice.data.cleaning.clean import CleanSettings
from sluice.data.cleaning.code_blocks import fenced_lines
from sluice.data.cleaning.text import repair_text
from sluice.recipe import CleaningSection

STRIP = CleanSettings(CleaningSection(markdown="strip"))


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("# Sizes\n\nWe have **five** of *them*.", "Sizes\n\nWe have five of them."),
        ("请**务必**保留[发票](https://example.com/a)。", "请务必保留发票。"),
        ("- one\n- two\n\n1. first", "- one\n- two\n\n1. first"),
        ("> quoted\n> twice", "quoted\ntwice"),
        ("a\n\n---\n\nb", "a\n\nb"),
        ("Run `pip install`:\n```sh\npip install x\n```", "Run pip install:\npip install x"),
        ('![a photo](tent.png "Tent") ~~old~~ _new_', "a photo old new"),
        (
            "2 * 3 * 4, snake_case_name, #1, 5 > 3, a[0](b c)",
            "2 * 3 * 4, snake_case_name, #1, 5 > 3, a[0](b c)",
        ),
    ],
)
def test_marks_are_stripped_where_the_recipe_says_so(text: str, plain: str) -> None:
    assert repair_text(text, STRIP).text == plain
    assert repair_text(plain, STRIP).text == plain


def test_answers_in_markdown_are_kept_by_default() -> None:
    text = "# Sizes\n\n- **five** of [them](x)\n\n```py\nif a:\n    print('  <b>')\n```"
    assert repair_text(text, CleanSettings()).text == text


def test_a_fence_that_is_never_closed_opens_nothing() -> None:
    lines = fenced_lines("a\n```py\nx\n```\nb\n```\nc")
    assert [is_code for _, is_code in lines] == [False, True, True, True, False, False, False]
