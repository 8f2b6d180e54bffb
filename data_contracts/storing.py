"""Write the rows that pass a contract, and those that do not beside them with what they broke."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from data_contracts.parts import Part
from data_contracts.verdict import Verdict, codes_at
from sluice.data.outcomes import GONE_SCHEMA, with_reasons
from sluice.data.parts import part_name, read_part, write_part

pa: Any = pyarrow  # not typed


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
        _store_part(folder, part, number + place, away[first:last] - part.start, reasons)
        kept[part.side] += part.rows - len(reasons)
        gone.update(reason[0] for reason in reasons)
    return kept, gone


def _store_part(
    folder: Path, part: Part, number: int, away: Any, codes: Sequence[Sequence[str]]
) -> None:
    place = folder / part.side / part.path.name
    gone = folder / "gone" / part_name(number)
    if not len(away):
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(part.path, place)
        write_part(gone, GONE_SCHEMA.empty_table())
        return
    table = read_part(part.path)
    stays = np.ones(part.rows, dtype=bool)
    stays[away] = False
    write_part(place, table.filter(pa.array(stays)))
    details = [f"breaks {', '.join(all_codes)}" for all_codes in codes]
    reasons = [all_codes[0] for all_codes in codes]
    fates = ["quarantined"] * len(reasons)
    write_part(gone, with_reasons(table.take(pa.array(away)), fates, reasons, details))
