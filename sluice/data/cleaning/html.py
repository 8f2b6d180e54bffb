"""HTML remains: tags go, their text stays, entities are decoded, and `price < 50` is left alone."""

from __future__ import annotations

import html
import re

from sluice.data.cleaning.code_blocks import outside_code

# Only known names count, and attributes need a value: `<size>` and `a <b and c> d` are text.
_BLOCK = (
    "address|article|aside|blockquote|body|br|center|dd|div|dl|dt|fieldset|figure|footer|form"
    "|h[1-6]|head|header|hr|html|li|main|nav|ol|option|p|pre|section|select|table|tbody|textarea"
    "|tfoot|thead|title|tr|ul"
)
_INLINE = (
    "a|abbr|b|button|code|col|del|em|font|i|iframe|img|input|ins|label|link|mark|meta|picture|q|s"
    "|samp|script|small|source|span|strike|strong|style|sub|sup|svg|u|video|wbr"
)
# Attributes are matched possessively (`*+`), so that hostile input costs linear time.
_TAG = re.compile(
    rf"</?(?:(?P<block>{_BLOCK})|(?P<cell>td|th)|(?P<inline>{_INLINE}))"
    r"""(?:\s++[\w:@.-]++\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'<>=`]++))*+\s*+/?+>""",
    re.IGNORECASE,
)
_DOCTYPE = re.compile(r"<!doctype\b[^<>]*+>", re.IGNORECASE)
# Blocks whose content is not text for a reader.
_HIDDEN = (
    (re.compile("<!--"), re.compile("-->")),
    (re.compile(r"<script\b[^<>]*+>", re.IGNORECASE), re.compile(r"</script\s*+>", re.IGNORECASE)),
    (re.compile(r"<style\b[^<>]*+>", re.IGNORECASE), re.compile(r"</style\s*+>", re.IGNORECASE)),
)
# The semicolon is required: without it `?a=1&copy=2` would become a copyright sign.
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPED_AMPERSANDS = re.compile(r"&(?:(?:amp|AMP|#0{0,4}38|#[xX]0{0,4}26);)++")


def has_html(text: str) -> bool:
    """Whether `without_html` would change the text."""
    return without_html(text) != text


def without_html(text: str) -> str:
    """One pass: hidden blocks and tags removed, entities decoded; Markdown code stays as it is.

    The text of block elements is set apart by a line break, that of table cells by a space;
    inline tags leave nothing behind. Text that was escaped twice needs a pass for each time.
    """
    if "<" not in text and "&" not in text:
        return text
    return outside_code(text, _plain)


def _plain(text: str) -> str:
    if "<" in text:
        for opening, closing in _HIDDEN:
            text = _without_blocks(text, opening, closing)
        text = _TAG.sub(_separator, _DOCTYPE.sub("", text))
    if "&" in text:
        text = _ESCAPED_AMPERSANDS.sub("&", text)
        text = _ENTITY.sub(lambda entity: html.unescape(entity.group()), text)
    return text


def _separator(tag: re.Match[str]) -> str:
    return {"block": "\n", "cell": " "}.get(tag.lastgroup or "", "")


def _without_blocks(text: str, opening: re.Pattern[str], closing: re.Pattern[str]) -> str:
    kept: list[str] = []
    position = 0
    while start := opening.search(text, position):
        end = closing.search(text, start.end())
        if end is None:  # never closed: the rest is text, and is not searched again
            break
        kept.append(text[position : start.start()])
        position = end.end()
    return "".join([*kept, text[position:]])
