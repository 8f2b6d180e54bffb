"""The marks of Markdown taken away, their text kept; lists keep their dashes and numbers.

Only marks that stand as Markdown has them count, so `2 * 3 * 4`, `snake_case_name` and `#1` stay.
"""

from __future__ import annotations

import re

from sluice.data.cleaning.code_blocks import FENCE, fenced_lines

_LINE_MARKS = (
    re.compile(r"^[ \t]*+#{1,6}[ \t]++", re.MULTILINE),  # headings
    re.compile(r"^[ \t]*+>[ \t]?", re.MULTILINE),  # quotations
    re.compile(r"^[ \t]*+(?:[-*_][ \t]*+){3,}+$", re.MULTILINE),  # rules
)
_LINK = re.compile(r"!?\[([^\[\]\n]*+)\]\([^()\s]*+(?:[ \t]+\"[^\"\n]*+\")?\)")
_EMPHASIS = (
    re.compile(r"(?<![\w*])\*{1,3}(?=[^\s*])([^*\n]*[^\s*])\*{1,3}(?![\w*])"),
    re.compile(r"(?<!\w)_{1,3}(?=[^\s_])([^_\n]*[^\s_])_{1,3}(?!\w)"),
    re.compile(r"~~(?=[^\s~])([^~\n]*[^\s~])~~"),
    # No space is written between Chinese words, so `请**务必**保留` is bold all the same.
    re.compile(r"\*\*(?=[^\s*])([^*\n]*[^\s*])\*\*"),
)
_INLINE_CODE = re.compile("`([^`\n]+)`")


def without_markdown(text: str) -> str:
    """Headings, emphasis, links, quotation marks, rules and code fences without their marks."""
    if FENCE in text:
        text = "\n".join(
            line
            for line, is_code in fenced_lines(text)
            if not (is_code and line.lstrip().startswith(FENCE))
        )
    for pattern in _LINE_MARKS:
        text = pattern.sub("", text)
    text = _LINK.sub(r"\1", text)
    for pattern in _EMPHASIS:
        text = pattern.sub(r"\1", text)
    return _INLINE_CODE.sub(r"\1", text)
