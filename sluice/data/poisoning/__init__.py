"""Guards against rows that were put there to change what the model says.

`caps`: nobody fills the training set alone. `alarm`: no rare phrase may command an answer; about
250 documents are enough to plant one in a model of any size (Souly et al. 2025, "Poisoning attacks
on LLMs require a near-constant number of poison samples", arXiv:2510.07192).
"""

from __future__ import annotations

from sluice.data.poisoning.alarm import TRIGGER_PHRASE, Alarm, find_alarms, rows_with
from sluice.data.poisoning.caps import (
    CONTRIBUTOR_OVER_CAP,
    SOURCE_OVER_CAP,
    allowed,
    cap_detail,
    is_reachable,
    over_cap,
)

__all__ = [
    "CONTRIBUTOR_OVER_CAP",
    "SOURCE_OVER_CAP",
    "TRIGGER_PHRASE",
    "Alarm",
    "allowed",
    "cap_detail",
    "find_alarms",
    "is_reachable",
    "over_cap",
    "rows_with",
]
