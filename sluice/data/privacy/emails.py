"""E-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sluice.data.privacy.spans import Span

MAX_LOCAL = 64  # RFC 5321, section 4.5.3.1.1
MAX_DOMAIN = 255  # the same, section 4.5.3.1.2
# Only ASCII before the @: Chinese text is written against an address without a space.
_LOCAL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._%+'/=-]*[A-Za-z0-9_+=-])?\Z")
_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?P<top>[A-Za-z]{2,24})(?![A-Za-z0-9-])"
)
# `logo@2x.png` is a picture for a fine screen.
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "svg", "avif", "css", "js"})


def find_emails(text: str) -> Iterator[Span]:
    """Addresses of the form that mail servers take in practice: no quotes, no comments."""
    at = text.find("@")
    while at >= 0:
        head = text[max(0, at - MAX_LOCAL) : at]
        # Searched from the first character that may stand in an address, so that a long run costs
        # no more than its length.
        begin = len(head) - len(_tail(head))
        local = _LOCAL.search(head, begin)
        domain = _DOMAIN.match(text, at + 1, at + 1 + MAX_DOMAIN)
        if local and domain and domain["top"].lower() not in _FILES:
            yield Span(at - len(local.group()), domain.end(), "email")
        at = text.find("@", at + 1)


_NOT_LOCAL = re.compile(r"[^A-Za-z0-9._%+'/=-]")


def _tail(head: str) -> str:
    ends = [match.end() for match in _NOT_LOCAL.finditer(head)]
    return head[ends[-1] :] if ends else head
