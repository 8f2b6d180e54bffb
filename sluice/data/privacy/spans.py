"""Where private data stands in a text, without the data itself."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["secret", "email", "bank_card", "national_id", "ip_address", "phone"]
# The order decides which of two overlapping finds counts: a format with a checksum or a fixed
# prefix says more than a run of digits that could be dialled.
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Span:
    """The characters from `start` up to `end` are private, and of which kind. Holds no value."""

    start: int
    end: int
    kind: Kind


def without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """One span for each place, in the order of the text.

    Of two that overlap, the kind that is earlier in `KINDS` stays; of one kind the longer, then
    the earlier.
    """
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (KINDS.index(s.kind), s.start - s.end, s.start)):
        # `kept` is in the order of the text, so that only two neighbours can overlap.
        place = bisect_left(kept, span.start, key=lambda s: s.start)
        free_before = place == 0 or kept[place - 1].end <= span.start
        if free_before and (place == len(kept) or span.end <= kept[place].start):
            kept.insert(place, span)
    return kept
