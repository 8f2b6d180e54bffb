"""The dirt that was planted in the shipped examples, and what must become of each kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.unit.data.preparing import Fate, Place

EXAMPLES = Path(__file__).parents[3] / "examples"
SHOPS = ("customer_service", "kefu")
MONTHS = ("2026-09.jsonl", "2026-10.jsonl")

FATES: dict[str, Fate] = {
    "truncated_json": ("rejected", "not_json"),
    "missing_output": ("rejected", "missing_output"),
    "wrong_type": ("rejected", "wrong_type"),
    "empty_output": ("dropped", "answer_empty"),
    "short_output": ("dropped", "answer_too_short"),
    "over_long": ("dropped", "too_many_characters"),
    "other_language": ("dropped", "other_language"),
    "exact_duplicate": ("dropped", "exact_duplicate"),
    "near_duplicate": ("dropped", "near_duplicate"),
    "contradiction": ("quarantined", "conflicting_answers"),
}
REPAIRED = ("html", "control_characters")
MASKED = "contact_details"


def planted(shop: str, kind: str) -> set[Place]:
    """Where a kind of dirt lies. Of a pair of copies it is the later; a contradiction is both."""
    dirt: dict[str, dict[str, list[Any]]] = json.loads((EXAMPLES / shop / "dirt.json").read_text())
    found = {
        (month, line)
        for month in MONTHS
        for place in dirt[month][kind]
        for line in (place if isinstance(place, list) else [place])[: _counting(kind)]
    }
    assert found, kind
    return found


def months(shop: str) -> list[Path]:
    """The shop's files."""
    return [EXAMPLES / shop / month for month in MONTHS]


def _counting(kind: str) -> int:
    return 2 if kind == "contradiction" else 1
