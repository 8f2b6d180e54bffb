"""The cleaning step over the lake: one batch's rows, repaired, or gone with a reason."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sluice.data.cleaning.clean import CleanSettings, clean_table
from sluice.data.compute import Engine
from sluice.data.counts import Counts, added_up
from sluice.data.parts import part_files, read_part, write_part
from sluice.lake import Lake, step_key
from sluice.refs import DatasetRef

CLEAN_VERSION = 3


def clean_step(
    checked: DatasetRef, settings: CleanSettings, lake: Lake, engine: Engine
) -> DatasetRef:
    """Clean the rows of `checked/<digest>` into `cleaned/<digest>`; `rows` counts those kept.

    Leaves `kept/` (repaired rows) and `gone/` (rows as they came, with their reasons). The work
    of a batch is remembered, so a new batch costs its own rows only.
    """
    key = step_key("clean", CLEAN_VERSION, checked.digest, settings.identity())
    cleaned = lake.find(key, DatasetRef)
    if cleaned is not None:
        return cleaned
    with lake.aside() as folder:
        job = partial(_clean_part, folder, settings)
        counts = added_up(engine.map(job, part_files(lake.path(checked) / "records")))
        return lake.commit(
            folder, "cleaned", key, partial(DatasetRef, rows=counts["kept"]), **counts
        )


def _clean_part(folder: Path, settings: CleanSettings, part: Path) -> Counts:
    result = clean_table(read_part(part), settings)
    write_part(folder / "kept" / part.name, result.kept)
    write_part(folder / "gone" / part.name, result.gone)
    return result.counts
