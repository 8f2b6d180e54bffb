"""Characters that nobody can see, and spaces of every kind."""

from __future__ import annotations

import re

_LINE_BREAK = re.compile("\r\n?|[\u0085\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Soft hyphen, zero-width space, marks and overrides of direction, word joiner, byte order mark;
# and tag characters, which can carry text that a person does not see but a model reads (the
# flags of England, Scotland and Wales become a plain black flag).
_ZERO_WIDTH = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\U000e0000-\U000e007f]"
)
# Joiners build emoji (family, professions) and are part of spelling in Persian and Indic scripts,
# so they stay between two such characters. Anywhere else they only hide differences.
_JOINED = "\u0600-\u109f\u1780-\u18af\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"
_STRAY_JOINER = re.compile(f"(?<![{_JOINED}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINED}])")
# Letters and symbols of Unicode that show as nothing at all.
_BLANK = re.compile("[\u115f\u1160\u2800\u3164\uffa0]")
_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_SPACES = re.compile("[ \t]{2,}")
_BLANK_LINES = re.compile("\n{3,}")


def without_control(text: str) -> str:
    """Control characters removed, except line feed and tab; other line breaks become line feeds."""
    return _CONTROL.sub("", _LINE_BREAK.sub("\n", text))


def without_zero_width(text: str) -> str:
    """Zero-width characters removed, except joiners where they build a character."""
    return _STRAY_JOINER.sub("", _ZERO_WIDTH.sub("", text))


def tidy_whitespace(text: str) -> str:
    """Runs of spaces (U+3000 is one) become one, at most one blank line stays, ends are cut."""
    text = _SPACES.sub(_one_space, _SPACE.sub(" ", text))
    text = "\n".join(line.strip(" \t") for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", text).strip()


def _one_space(run: re.Match[str]) -> str:
    return "\t" if "\t" in run.group() else " "  # a tab still separates the cells of a table


def control_characters(text: str) -> int:
    """How many control and stray zero-width characters are left in a text."""
    return len(text) - len(without_zero_width(_CONTROL.sub("", text.replace("\r", ""))))


def visible_characters(text: str) -> int:
    """How many characters a reader sees: no spaces, controls, zero-width or blank letters."""
    seen = _BLANK.sub("", without_zero_width(without_control(text)))
    return sum(not c.isspace() for c in seen)
