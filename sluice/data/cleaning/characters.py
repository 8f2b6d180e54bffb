"""Characters that nobody can see, spaces of every kind, and runs of punctuation."""

from __future__ import annotations

import re
from functools import cache

from sluice.data.cleaning.code_blocks import FENCE, fenced_lines

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
# Not those that draw lines in Markdown and tables (- = _ * # |), nor brackets.
_ASCII_MARKS = "!?.,;:~"
_MARKS = f"{_ASCII_MARKS}！？。，、；：．…～·"
_BLANK_LINES = re.compile("\n{3,}")


def without_control(text: str) -> str:
    """Control characters removed, except line feed and tab; other line breaks become line feeds."""
    if text.isprintable():
        return text
    return _CONTROL.sub("", _LINE_BREAK.sub("\n", text))


def without_zero_width(text: str) -> str:
    """Zero-width characters removed, except joiners where they build a character."""
    if text.isascii():
        return text
    text = _ZERO_WIDTH.sub("", text)
    return _STRAY_JOINER.sub("", text) if "\u200c" in text or "\u200d" in text else text


def tidy_whitespace(text: str) -> str:
    """Runs of spaces (U+3000 is one) become one, at most one blank line stays, ends are cut.

    Inside fenced code only the ends of lines are cut: its spaces have a meaning.
    """
    if FENCE in text:
        return _tidy_around_code(text)
    text = _single_spaces(text)
    if "\n" in text:
        text = "\n".join(line.strip(" \t") for line in text.split("\n"))
        text = _BLANK_LINES.sub("\n\n", text)
    return text.strip()


def shorten_runs(text: str, longest: int) -> str:
    """Runs of one punctuation mark cut to `longest`: `！！！！！` says no more than `！！！`."""
    for mark in _ASCII_MARKS if text.isascii() else _MARKS:
        if mark * (longest + 1) in text:
            text = _run_of(mark, longest).sub(mark * longest, text)
    return text


@cache
def _run_of(mark: str, longest: int) -> re.Pattern[str]:
    return re.compile(f"{re.escape(mark)}{{{longest + 1},}}")


def _tidy_around_code(text: str) -> str:
    lines: list[str] = []
    for line, is_code in fenced_lines(text):
        tidied = line.rstrip() if is_code else _single_spaces(line).strip(" \t")
        if is_code or tidied or (lines and lines[-1]):
            lines.append(tidied)
    return "\n".join(lines).strip()


def _single_spaces(text: str) -> str:
    if not text.isascii():
        text = _SPACE.sub(" ", text)
    return _SPACES.sub(_one_space, text) if "  " in text or "\t" in text else text


def _one_space(run: re.Match[str]) -> str:
    return "\t" if "\t" in run.group() else " "  # a tab still separates the cells of a table


def control_characters(text: str) -> int:
    """How many control and stray zero-width characters are left in a text."""
    return len(text) - len(without_zero_width(_CONTROL.sub("", text.replace("\r", ""))))


def visible_characters(text: str) -> int:
    """How many characters a reader sees: no spaces, controls, zero-width or blank letters."""
    seen = _BLANK.sub("", without_zero_width(without_control(text)))
    return len("".join(seen.split()))


def has_fewer_visible(text: str, least: int) -> bool:
    """Whether a text has fewer visible characters than `least`; its start nearly always tells."""
    start = text[:least]
    if len(start) == least and start.isalnum() and not _BLANK.search(start):
        return False
    return visible_characters(text) < least
