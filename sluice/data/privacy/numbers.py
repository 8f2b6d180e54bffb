"""Places in a text where a long number stands: all that checks of numbers need to look at."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Six or more digits, with up to three separators between two of them.
_LONG = re.compile(r"\d(?:[ \-.()/+\t]{0,3}\d){5,}", re.ASCII)
# The commonest such runs are dates, with an hour, and spans of years.
_DATE = re.compile(
    r"(?:19|20)\d\d([-./])\d\d?\1\d\d?(?: [012]?\d)?|\d\d?([-./])\d\d?\2(?:19|20)\d\d(?: [012]?\d)?"
    r"|(?:19|20)\d\d ?[-/] ?(?:19|20)\d\d",
    re.ASCII,
)
_SEPARATORS = re.compile(r"[ \-.()/+\t]")


def long_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each run of six or more digits, of one number or several; no dates."""
    for match in _LONG.finditer(text):
        if not is_date(match.group()):
            yield match.start(), match.end()


def is_date(written: str) -> bool:
    """Whether a run is a day, with or without an hour, or a span of years."""
    return _DATE.fullmatch(written) is not None


def digits_of(written: str) -> str:
    """The digits and letters of a number, without what separates them."""
    return _SEPARATORS.sub("", written)
