"""Encoding damage: text that was decoded as something else than it is, mended where that is sure.

Two mistakes can be undone. UTF-8 that was read as Latin-1, Windows-1252 and their relatives
(`Ã©` for `é`, `ä½\xa0å¥½` for `你好`) is ftfy's trade, whose detector is made to leave sound text
alone (Speer 2019, https://ftfy.readthedocs.io/en/latest/heuristic.html). UTF-8 that was read as
GBK (`锛` for a full-width comma) is undone if all of the text is valid UTF-8 again: sound Chinese,
written as GBK, never is. What cannot be undone is counted, for the rule `encoding_damage`.
"""

from __future__ import annotations

import re
from typing import Any

REPLACEMENT = "\ufffd"
# UTF-8's commonest Chinese three-byte sequences (，。、的是在我可用) begin with pairs of bytes that
# GBK reads as these characters, none of which is in use today.
_AS_GBK = "锛銆鐨鏄鍦鎴鍙鐢"
_GBK_MARK = re.compile(f"[{_AS_GBK}]")
_ENOUGH_MARKS = 2
# A first byte of UTF-8 and what may follow it, as Latin-1 or Windows-1252 would show them.
_LATIN = re.compile("[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u017e\u0192\u02c6-\u02dc\u2013-\u2122]")
# U+FFFD twice, written as UTF-8 and read as GBK; and what Microsoft's debugger fills memory with.
_FILLED = re.compile("(?:锟斤拷)+|烫{3,}|屯{3,}")
_SUSPECT = re.compile(f"[\u0080-\u00ff\u0152-\u017e{REPLACEMENT}锟烫屯{_AS_GBK}]")


def may_be_damaged(text: str) -> bool:
    """False only where nothing can be mended and no damage is counted; quick."""
    return not text.isascii() and _SUSPECT.search(text) is not None


def mended(text: str) -> str:
    """The text as it was before it was decoded wrongly, where that is sure."""
    if not may_be_damaged(text):
        return text
    if _LATIN.search(text):
        import ftfy  # late: most texts need none of it

        text = ftfy.fix_encoding(text)
    return _read_as_utf8(text) if _has_gbk_marks(text) else text


def damaged_characters(text: str) -> int:
    """How many characters of a text are damage that could not be undone."""
    if not may_be_damaged(text):
        return 0
    damaged = text.count(REPLACEMENT) + sum(len(run.group()) for run in _FILLED.finditer(text))
    if _has_gbk_marks(text):
        damaged += len(_GBK_MARK.findall(text))
    if _LATIN.search(text):
        from ftfy import badness  # pyright: ignore[reportMissingTypeStubs]

        untyped: Any = badness
        damaged += int(untyped.badness(text))
    return damaged


def _has_gbk_marks(text: str) -> bool:
    return len(_GBK_MARK.findall(text)) >= _ENOUGH_MARKS


def _read_as_utf8(text: str) -> str:
    try:
        return text.encode("gb18030").decode("utf-8")
    except UnicodeError:
        return text  # some of its bytes are lost
