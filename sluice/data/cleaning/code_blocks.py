"""Code in Markdown: its spaces and its `<tags>` are the answer, so repairs go around it."""

from __future__ import annotations

import re
from collections.abc import Callable

FENCE = "```"
_INLINE = re.compile("(`[^`\n]+`)")


def fenced_lines(text: str) -> list[tuple[str, bool]]:
    """The lines of a text, and whether each belongs to a fenced block; fences do.

    A fence that is never closed opens nothing.
    """
    lines = text.split("\n")
    code = [False] * len(lines)
    opened: int | None = None
    for i, line in enumerate(lines):
        mark = line.strip()
        if not mark.startswith(FENCE):
            continue
        if opened is None:
            # What follows an opening fence names a language, and holds no backtick (CommonMark).
            opened = None if "`" in mark.lstrip("`") else i
        elif not mark.strip("`"):
            code[opened : i + 1] = [True] * (i + 1 - opened)
            opened = None
    return list(zip(lines, code, strict=True))


def outside_code(text: str, repair: Callable[[str], str]) -> str:
    """A text whose parts outside fenced and inline code are repaired, one by one."""
    if "`" not in text:
        return repair(text)
    if FENCE not in text:
        return _outside_inline_code(text, repair)
    pieces: list[str] = []
    prose: list[str] = []
    for line, is_code in [*fenced_lines(text), ("", True)]:
        if not is_code:
            prose.append(line)
            continue
        if prose:
            pieces.append(_outside_inline_code("\n".join(prose), repair))
            prose = []
        pieces.append(line)
    return "\n".join(pieces[:-1])


def _outside_inline_code(text: str, repair: Callable[[str], str]) -> str:
    parts = _INLINE.split(text)  # every second part is code
    return "".join(part if i % 2 else repair(part) for i, part in enumerate(parts))
