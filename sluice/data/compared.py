"""The comparing step over the lake: rows of all batches against each other and held-out rows.

One after the other: rows that copy a held-out row, rows of which a person released another copy,
exact duplicates, contradictions, near duplicates, caps per source and contributor, trigger phrases.
A row that has gone takes no part in what comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.comparison import Comparison, apart, decided_for
from sluice.data.compute import Engine
from sluice.data.contamination import EvaluationIndex
from sluice.data.counts import Counts, added_up, rows_by_reason
from sluice.data.duplicates.apart import conflicts, exact_duplicates, near_duplicates
from sluice.data.fingerprints import Fingerprints, fingerprint
from sluice.data.funnel import gone_reasons, told_reasons
from sluice.data.held_out import HeldOut
from sluice.data.outcomes import with_reasons
from sluice.data.parts import Part, part_files, part_name, parts_of, read_part, write_part
from sluice.data.poisoning import TRIGGER_PHRASE, Alarm, find_alarms, rows_with
from sluice.data.poisoning.capped import capped
from sluice.data.quarantine import released_from
from sluice.data.superseded import superseded
from sluice.errors import BatchError
from sluice.lake import Lake, step_key, write_json
from sluice.recipe import Recipe
from sluice.refs import DatasetRef

COMPARE_VERSION = 2

pa: Any = pyarrow  # not typed


def compare_step(
    cleaned: Sequence[DatasetRef],
    held_out: HeldOut,
    recipe: Recipe,
    lake: Lake,
    engine: Engine,
) -> DatasetRef:
    """Compare the rows of `cleaned/<digest>`s and put what is left into `compared/<digest>`.

    Leaves `kept/` and `gone/`. Rows are ordered by source, then line, as their batches are.

    Raises:
        BatchError: cleaning has left nothing to compare.
    """
    _refuse_nothing(cleaned, lake)
    key = step_key(
        "compare",
        COMPARE_VERSION,
        [ref.digest for ref in cleaned],
        [row.id for row in (*held_out.evaluation, *held_out.guards)],
        recipe.data.near_duplicate,
        recipe.duplicates.model_dump(mode="json"),
        recipe.poisoning.model_dump(mode="json"),
    )
    compared = lake.find(key, DatasetRef)
    if compared is not None:
        return compared
    parts = parts_of([lake.path(ref) / "kept" for ref in cleaned])
    with lake.aside() as folder, lake.aside() as work:
        comparison = Comparison(engine, work, parts)
        _decide(comparison, held_out, recipe)
        counts = added_up(engine.map(partial(_write_part, folder, comparison.decided), parts))
        alarms, caught = _sound(folder, recipe, engine)
        facts = added_up([{"rows": 0, "kept": 0, "gone": {}}, counts, caught])
        facts["notes"] = [*comparison.notes, *(f"Alarm: {alarm.detail}." for alarm in alarms)]
        # In a file too: the same rows with other notes are another data set, or these were lost.
        write_json(folder / "notes.json", facts["notes"])
        return lake.commit(
            folder, "compared", key, partial(DatasetRef, rows=facts["kept"]), **facts
        )


def _refuse_nothing(cleaned: Sequence[DatasetRef], lake: Lake) -> None:
    if any(ref.rows for ref in cleaned):
        return
    gone = gone_reasons(cleaned, lake)
    where = f" The rows are in {lake.path(cleaned[0]) / 'gone'}." if gone else ""
    raise BatchError(
        f"No row is left after cleaning ({told_reasons(gone)}).{where} Mend them at their source, "
        "or relax `cleaning` and `privacy` in the recipe on purpose."
    )


def _decide(comparison: Comparison, held_out: HeldOut, recipe: Recipe) -> None:
    """What becomes of the rows."""
    section = recipe.duplicates
    away = (*held_out.evaluation, *held_out.guards)
    index = EvaluationIndex.build(away, recipe.data.near_duplicate)
    prints = Fingerprints(comparison.work, index, section, recipe.poisoning.contributor_tag)
    comparison.strike(comparison.engine.map(partial(fingerprint, prints), comparison.parts))
    comparison.strike(superseded(comparison))
    if section.exact:
        comparison.strike(exact_duplicates(comparison, prints))
    if section.conflicts != "keep":
        comparison.strike(conflicts(comparison, prints))
    if section.near:
        comparison.strike(near_duplicates(comparison, prints))
    capped(comparison, prints, recipe.poisoning)


def _write_part(folder: Path, decided: Sequence[Path], part: Part) -> Counts:
    kept, gone = apart(read_part(part.path), part, decided_for(part, decided))
    write_part(folder / "kept" / part_name(part.number), kept)
    write_part(folder / "gone" / part_name(part.number), gone)
    return {"rows": part.rows, "kept": kept.num_rows, "gone": dict(rows_by_reason(gone))}


def _sound(folder: Path, recipe: Recipe, engine: Engine) -> tuple[Sequence[Alarm], Counts]:
    """The alarms of trigger phrases; their rows are set aside if the recipe wants them to be."""
    parts = part_files(folder / "kept")
    alarms = find_alarms(engine, parts, recipe.poisoning)
    if not alarms or recipe.poisoning.alarm != "quarantine":
        return alarms, {}
    return alarms, added_up(engine.map(partial(_set_aside, folder, alarms), parts))


def _set_aside(folder: Path, alarms: Sequence[Alarm], path: Path) -> Counts:
    table = read_part(path)
    found = zip(rows_with(table, alarms), released_from(table), strict=True)
    told = [None if released == TRIGGER_PHRASE else alarm for alarm, released in found]
    away = table.filter(pa.array([alarm is not None for alarm in told], pa.bool_()))
    details = [alarm.detail for alarm in told if alarm is not None]
    count = len(details)
    caught = with_reasons(away, ["quarantined"] * count, [TRIGGER_PHRASE] * count, details)
    write_part(path, table.filter(pa.array([alarm is None for alarm in told], pa.bool_())))
    gone = folder / "gone" / path.name
    write_part(gone, pa.concat_tables([read_part(gone), caught]))
    return {"kept": -count, "gone": {TRIGGER_PHRASE: count}}
