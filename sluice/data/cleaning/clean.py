"""Cleaning: repair each row, and drop or quarantine what breaks a rule, with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.cleaning.installed_rules import InstalledRule, installed_rules
from sluice.data.cleaning.language import languages_of
from sluice.data.cleaning.masking import Reason
from sluice.data.cleaning.repaired import repaired_table
from sluice.data.cleaning.rows import Rows
from sluice.data.cleaning.rules import RULES, Broken, Rule
from sluice.data.cleaning.settings import CleanSettings
from sluice.data.outcomes import Gone, gone_of, with_reasons
from sluice.data.record import SCHEMA, Record, records_of, table_of

__all__ = ["CleanSettings", "Cleaned", "CleanedTable", "clean_records", "clean_table"]

pa: Any = pyarrow  # not typed


@dataclass(frozen=True, slots=True)
class CleanedTable:
    """What cleaning left. Every row that came in is in `kept` or in `gone`, once.

    `kept` rows are repaired, and have a new id if a repair changed them; `gone` rows are as they
    came. `counts` is JSON-ready: `rows`, `kept`, `gone` by reason, and `repaired` by repair (rows
    in which the repair changed something, whether they were kept or not).
    """

    kept: Any
    gone: Any
    counts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The same for a small set of rows."""

    kept: tuple[Record, ...]
    gone: tuple[Gone, ...]
    counts: dict[str, Any]


def clean_records(records: Sequence[Record], settings: CleanSettings) -> Cleaned:
    """Clean a few rows; their order is kept."""
    result = clean_table(table_of(records), settings)
    return Cleaned(tuple(records_of(result.kept)), tuple(gone_of(result.gone)), result.counts)


def clean_table(table: Any, settings: CleanSettings) -> CleanedTable:
    """Clean the rows of a table of `SCHEMA`; their order is kept.

    Raises:
        DataError: a rule of an installed package cannot be used, or failed.
    """
    table = table.select(SCHEMA.names).combine_chunks()
    repaired = repaired_table(table, settings)
    rows = Rows(repaired.table, repaired.texts)
    reasons = _reasons(rows, settings, repaired.private)
    kept = np.array([row for row in range(len(rows)) if row not in reasons], dtype=np.int64)
    gone = sorted(reasons)
    fates, codes, details = zip(*(reasons[row] for row in gone), strict=True) if gone else ((),) * 3
    return CleanedTable(
        kept=_taken(_with_languages(repaired.table, rows, settings), kept),
        gone=with_reasons(table.take(pa.array(gone, pa.int64())), fates, codes, details),
        counts={
            "rows": len(rows),
            "kept": len(kept),
            "gone": dict(sorted(Counter(codes).items())),
            "repaired": dict(sorted(_rows_by_repair(repaired.repairs.values()).items())),
        },
    )


def _reasons(
    rows: Rows, settings: CleanSettings, private: Mapping[int, Reason]
) -> dict[int, Reason]:
    """Why rows leave: the first rule that each of them breaks."""
    reasons: dict[int, Reason] = {}

    def leave(broken: Mapping[int, Reason]) -> None:
        for row, reason in broken.items():
            reasons.setdefault(row, reason)
        rows.live[list(broken)] = False

    cheap, costly = RULES[:_COSTLY_FROM], RULES[_COSTLY_FROM:]
    for name, rule in cheap:
        leave(_dropped(name, rule, rows, settings))
    leave(private)
    for name, rule in costly:
        leave(_dropped(name, rule, rows, settings))
    for rule in installed_rules():
        leave(_broken_by_installed(rule, rows, settings))
    return reasons


def _dropped(name: str, rule: Rule, rows: Rows, settings: CleanSettings) -> dict[int, Reason]:
    broken: Broken = rule(rows, settings) if settings.cleaning.on(name) else {}
    return {row: ("dropped", name, detail) for row, detail in broken.items()}


def _broken_by_installed(
    rule: InstalledRule, rows: Rows, settings: CleanSettings
) -> dict[int, Reason]:
    if not settings.cleaning.on(rule.name):
        return {}
    live = np.flatnonzero(rows.live).tolist()
    broken = [
        row for row, record in zip(live, rows.records(live), strict=True) if rule.broken_by(record)
    ]
    return dict.fromkeys(broken, ("dropped", rule.name, rule.version))


def _rows_by_repair(repairs: Iterable[set[str]]) -> Counter[str]:
    return Counter(name for names in repairs for name in names)


def _with_languages(table: Any, rows: Rows, settings: CleanSettings) -> Any:
    """What a row says of its own language stays, unless the recipe has it identified."""
    stated: list[str | None] = table.column("language").to_pylist()
    told = languages_of(rows, settings)
    if settings.cleaning.languages:
        told, stated = stated, told
    languages = [first or second for first, second in zip(stated, told, strict=True)]
    at = SCHEMA.get_field_index("language")
    return table.set_column(at, SCHEMA.field(at), pa.array(languages, pa.string()))


def _taken(table: Any, numbers: Any) -> Any:
    return table if len(numbers) == table.num_rows else table.take(pa.array(numbers))


# Of a row that is too short, too long or private nothing more needs to be known.
_COSTLY_FROM = [name for name, _ in RULES].index("encoding_damage")
