"""The splitting step over the lake: which of the compared rows train, and which are judged by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.compute import Engine
from sluice.data.contamination import EvaluationIndex, contaminated
from sluice.data.counts import Counts, added_up, rows_by_reason
from sluice.data.funnel import told_reasons
from sluice.data.held_out import HeldOut
from sluice.data.outcomes import GONE_SCHEMA, gone_table, with_reasons
from sluice.data.parts import part_files, part_name, read_part, write_part
from sluice.data.record import SCHEMA, Record, records_of, table_of
from sluice.data.split import (
    CHOSEN,
    RESERVE,
    RESERVED,
    TRAIN,
    VALIDATION,
    Numbers,
    draws_of,
    highest_chosen,
    sides_of,
)
from sluice.errors import BatchError
from sluice.lake import Lake, step_key
from sluice.recipe import DataSection, Recipe
from sluice.refs import DatasetRef

SPLIT_VERSION = 2
SPLITS = (TRAIN, VALIDATION, "evaluation")

pa: Any = pyarrow  # not typed


@dataclass(frozen=True, slots=True)
class _Job:
    folder: Path
    section: DataSection
    highest: float
    chosen: EvaluationIndex


def split_step(
    compared: DatasetRef, held_out: HeldOut, recipe: Recipe, lake: Lake, engine: Engine
) -> DatasetRef:
    """Split the rows of `compared/<digest>` into `curated/<digest>`; `rows` counts training rows.

    Leaves `train/`, `validation/`, `evaluation/` (the held-out rows first, then those that the
    hash chose) and `gone/`.

    Raises:
        BatchError: a side of the split is empty.
    """
    section = recipe.data
    key = step_key(
        "split",
        SPLIT_VERSION,
        compared.digest,
        section.model_dump(
            include={
                "evaluation_share",
                "max_evaluation_rows",
                "validation_share",
                "near_duplicate",
            }
        ),
        [row.id for row in held_out.evaluation],
    )
    curated = lake.find(key, DatasetRef)
    if curated is None:
        with lake.aside() as folder:
            facts = _split(folder, lake.path(compared) / "kept", held_out, section, engine)
            curated = lake.commit(
                folder, "curated", key, partial(DatasetRef, rows=facts["train"]), **facts
            )
    _refuse_empty_sides(lake.manifest(compared), lake.manifest(curated), section)
    return curated


def _split(
    folder: Path, rows: Path, held_out: HeldOut, section: DataSection, engine: Engine
) -> Counts:
    parts = part_files(rows)
    drawn = parts if section.evaluation_share else []
    highest = highest_chosen(engine.map(partial(_lowest_of, section), drawn), section)
    found = engine.map(partial(_chosen_of, section, highest), drawn)
    chosen = list(chain.from_iterable(found))
    write_part(folder / "evaluation" / part_name(0), table_of(held_out.evaluation))
    if chosen:
        write_part(folder / "evaluation" / part_name(1), table_of(chosen))
    index = EvaluationIndex.build(chosen, section.near_duplicate)
    job = _Job(folder, section, highest, index)
    counts = added_up(engine.map(partial(_split_part, job), list(enumerate(parts))))
    write_part(folder / "gone" / part_name(len(parts)), gone_table(held_out.gone))
    facts: Counts = {"train": 0, "validation": 0, "gone": {}, **counts}
    return {
        **facts,
        "evaluation": len(held_out.evaluation) + len(chosen),
        "held_out": len(held_out.evaluation),
        "chosen": len(chosen),
        "held_out_gone": len(held_out.gone),
    }


def _lowest_of(section: DataSection, path: Path) -> Numbers:
    numbers = draws_of(read_part(path, ["messages"])).evaluation
    chosen = np.sort(numbers[numbers < section.evaluation_share])
    return chosen[: section.max_evaluation_rows + 1]


def _chosen_of(section: DataSection, highest: float, path: Path) -> list[Record]:
    table = read_part(path)
    sides = sides_of(draws_of(table), section, highest)
    return records_of(table.filter(pa.array(sides == CHOSEN)))


def _split_part(job: _Job, numbered: tuple[int, Path]) -> Counts:
    number, path = numbered
    table = read_part(path).select(SCHEMA.names)
    sides = sides_of(draws_of(table), job.section, job.highest)
    sides, copies = _without_copies(table, sides, job.chosen)
    counts: Counts = {}
    for side in (TRAIN, VALIDATION):
        kept = table.filter(pa.array(sides == side))
        write_part(job.folder / side / part_name(number), kept)
        counts[side] = kept.num_rows
    reserve = table.filter(pa.array(sides == RESERVE))
    count = reserve.num_rows
    reserved = with_reasons(reserve, ["dropped"] * count, [RESERVED] * count, [""] * count)
    write_part(job.folder / "gone" / part_name(number), pa.concat_tables([reserved, copies]))
    counts["gone"] = dict(rows_by_reason(reserved) + rows_by_reason(copies))
    return counts


def _without_copies(table: Any, sides: Any, chosen: EvaluationIndex) -> tuple[Any, Any]:
    """Rows that copy a chosen one leave training."""
    if not chosen.rows:
        return sides, GONE_SCHEMA.empty_table()
    found = contaminated(table, chosen)
    rows = found.column("row").to_numpy()
    found = found.filter(pa.array(np.isin(sides[rows], (TRAIN, VALIDATION))))
    rows = found.column("row").to_numpy()
    sides = sides.copy()
    sides[rows] = "copy"
    reasons, details = (found.column(name).to_pylist() for name in ("reason", "detail"))
    return sides, with_reasons(table.take(rows), ["dropped"] * len(rows), reasons, details)


def _refuse_empty_sides(
    before: dict[str, Any], facts: dict[str, Any], section: DataSection
) -> None:
    if facts["train"] == 0:
        gone = added_up([{"gone": before.get("gone", {})}, {"gone": facts["gone"]}])["gone"]
        raise BatchError(
            f"No row is left to train on: {facts['chosen']} are kept for evaluation, "
            f"{facts['validation']} for validation, and comparing took out the others "
            f"({told_reasons(gone)}). Bring more rows, which the held-out file does not have."
        )
    if facts["evaluation"] == 0:
        raise BatchError(
            f"No row is left to evaluate on (data.evaluation: {section.evaluation}, "
            f"data.evaluation_share: {section.evaluation_share}). Raise the share, or name a "
            "held-out file whose rows pass the cleaning rules."
        )
