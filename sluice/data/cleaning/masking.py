"""Private values in the texts of rows: masked, or a reason for the row to leave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sluice.data.outcomes import Fate
from sluice.data.privacy import KINDS, Kind, Private

MASKED = "masked_"  # and the kind: the name of a repair
PRIVATE = "private_"  # and the kind: a reason code

Reason = tuple[Fate, str, str]
_FATES: Mapping[str, Fate] = {"drop": "dropped", "quarantine": "quarantined"}


@dataclass(frozen=True, slots=True)
class Looked:
    """A text after masking, the kinds that were masked, and how many values there still are."""

    text: str
    masked: frozenset[Kind]
    left: Counter[Kind]


def look_at(text: str, private: Private) -> Looked | None:
    """Mask a text; None, at little cost, if it holds nothing private."""
    masked = private.mask(text)
    if not masked.counts and not masked.left:
        return None
    return Looked(masked.text, frozenset(masked.counts), Counter(masked.left))


def reason_to_leave(left: Counter[Kind], private: Private) -> Reason:
    """Why a row with these values leaves: its first kind, in the order of `KINDS`."""
    kind = min(left, key=KINDS.index)
    return _FATES[private.treatments[kind]], f"{PRIVATE}{kind}", f"{left[kind]} found"
