"""What all reference pages are made of."""

from __future__ import annotations

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
    """A docstring's paragraphs, each on one line; an indented one is code."""
    blocks = (text or "").split("\n\n")
    return "\n\n".join(block if block.startswith("    ") else sentence(block) for block in blocks)


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
