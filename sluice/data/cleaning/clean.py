"""Cleaning: repair each row, drop what breaks a rule, keep one of each set of equal rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sluice.data.cleaning.duplicates import DUPLICATE, first_of_each
from sluice.data.cleaning.rules import CountTokens, Dropped, broken_rule
from sluice.data.cleaning.text import repair_text
from sluice.data.record import Message, Record, content_id
from sluice.recipe import CleaningSection


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What cleaning left. Every row that came in is in `kept` or in `dropped`, once.

    `counts` is JSON-ready: `rows`, `kept`, `dropped` by reason, and `repaired` by repair (rows in
    which the repair changed something, whether they were kept or not).
    """

    kept: tuple[Record, ...]
    dropped: tuple[Dropped, ...]
    counts: dict[str, Any]


def clean_records(
    records: Sequence[Record], section: CleaningSection, count_tokens: CountTokens
) -> Cleaned:
    """Clean rows; their order is kept."""
    survivors: list[tuple[Record, Record]] = []
    dropped: list[Dropped] = []
    repairs: Counter[str] = Counter()
    for record in records:
        repaired, applied = repair_record(record, section)
        repairs.update(applied)
        reason = broken_rule(repaired, section, count_tokens)
        if reason is None:
            survivors.append((record, repaired))
        else:
            dropped.append(Dropped(record, reason))
    kept, repeated = _one_of_each(survivors) if section.drop_duplicates else (survivors, [])
    dropped += repeated
    return Cleaned(
        kept=tuple(repaired for _, repaired in kept),
        dropped=tuple(dropped),
        counts=_counts(len(records), len(kept), dropped, repairs),
    )


def repair_record(record: Record, section: CleaningSection) -> tuple[Record, frozenset[str]]:
    """A row with repaired texts, and the names of the repairs. A changed row has a new id."""
    repaired = [repair_text(message.content, section) for message in record.messages]
    applied = frozenset[str]().union(*(result.repairs for result in repaired))
    if not applied:
        return record, applied
    messages = tuple(
        Message(old.role, new.text) for old, new in zip(record.messages, repaired, strict=True)
    )
    return replace(record, id=content_id(messages), messages=messages), applied


def _one_of_each(
    survivors: list[tuple[Record, Record]],
) -> tuple[list[tuple[Record, Record]], list[Dropped]]:
    kept: list[tuple[Record, Record]] = []
    dropped: list[Dropped] = []
    firsts = first_of_each([repaired for _, repaired in survivors])
    for i, first in enumerate(firsts):
        if i == first:
            kept.append(survivors[i])
        else:
            twin = survivors[first][0]
            dropped.append(Dropped(survivors[i][0], DUPLICATE, f"{twin.source}:{twin.line}"))
    return kept, dropped


def _counts(
    rows: int, kept: int, dropped: Iterable[Dropped], repairs: Counter[str]
) -> dict[str, Any]:
    return {
        "rows": rows,
        "kept": kept,
        "dropped": dict(sorted(Counter(drop.reason for drop in dropped).items())),
        "repaired": dict(sorted(repairs.items())),
    }
