"""What all reference pages are made of."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence

WIDTH = 96
NOTE = "<!-- Written by docs/make_reference.py (`make docs`). Change the code, not this page. -->\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, with a line break after it."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def sentence(text: str | None) -> str:
    """A docstring's or description's text on one line."""
    return " ".join((text or "").split())


def paragraphs(text: str | None) -> str:
    """A docstring's paragraphs, each on one line."""
    return "\n\n".join(map(sentence, inspect.cleandoc(text or "").split("\n\n")))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
