"""Write the rows that pass a contract, and those that do not beside them with what they broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_contracts.verdict import Verdict, codes_at
from sluice.data.comparison import apart, decisions
from sluice.data.outcomes import GONE_SCHEMA
from sluice.data.parts import Part, copy_part, part_name, read_part, write_part


def store(
    folder: Path, parts: Sequence[Part], verdicts: Sequence[Verdict], number: int
) -> tuple[Counter[str], Counter[str]]:
    """Write the rows that pass, and those that do not from `gone/` part `number` on; counts both.

    A part that nothing was taken from is copied as it is.
    """
    findings = [found for verdict in verdicts for found in verdict.checked.findings]
    away = np.unique(np.concatenate([verdict.checked.quarantined for verdict in verdicts]))
    codes = codes_at(findings, away)
    kept, gone = Counter[str]({part.side: 0 for part in parts}), Counter[str]()
    for place, part in enumerate(parts):
        first, last = np.searchsorted(away, [part.start, part.start + part.rows])
        reasons = codes[first:last]
        _store_part(folder, part, number + place, away[first:last], reasons)
        kept[part.side] += part.rows - len(reasons)
        gone.update(reason[0] for reason in reasons)
    return kept, gone


def _store_part(
    folder: Path, part: Part, number: int, away: Any, codes: Sequence[Sequence[str]]
) -> None:
    place = folder / part.side / part.path.name
    gone = folder / "gone" / part_name(number)
    if not len(away):
        copy_part(part.path, place)
        write_part(gone, GONE_SCHEMA.empty_table())
        return
    reasons = [all_codes[0] for all_codes in codes]
    details = [f"breaks {', '.join(all_codes)}" for all_codes in codes]
    decided = decisions(away, "quarantined", reasons, details)
    kept, left = apart(read_part(part.path), part, decided)
    write_part(place, kept)
    write_part(gone, left)
