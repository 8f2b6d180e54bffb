"""The augmenting step over the lake: variants of training rows join them, where a recipe asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.augmentation import (
    AugmentSettings,
    Candidates,
    added,
    augment_settings,
    augment_table,
    candidates,
    check_failures,
    fates_of,
    most,
    prompt_digests,
    together,
)
from sluice.data.augmentation.augment import KEPT
from sluice.data.compute import Engine
from sluice.data.contamination import EvaluationIndex
from sluice.data.counts import added_up
from sluice.data.curated import SPLITS
from sluice.data.held_out import HeldOut
from sluice.data.parts import copy_part, part_files, part_name, read_part, read_records, write_part
from sluice.data.record import records_of
from sluice.data.split import TRAIN
from sluice.lake import Lake, step_key
from sluice.recipe import Recipe
from sluice.refs import DatasetRef

AUGMENT_VERSION = 1

pa: Any = pyarrow  # not typed


@dataclass(frozen=True, slots=True)
class _Made:
    """What came of one part: variants are in a file, and this decides about them."""

    path: Path
    columns: Candidates
    prompts: Any
    counts: dict[str, dict[str, int]]
    failures: dict[str, int]


def augment_step(
    curated: DatasetRef,
    held_out: HeldOut,
    recipe: Recipe,
    recipe_dir: Path,
    lake: Lake,
    engine: Engine,
) -> DatasetRef:
    """Add variants to the training rows of `curated/<digest>`; without methods it stays as it is.

    Raises:
        RecipeError: a dictionary cannot be used, or the key of an endpoint is not set.
        SluiceError: an endpoint failed too often.
    """
    if not recipe.augmentation.methods:
        return curated
    settings = augment_settings(recipe.augmentation, recipe_dir)
    guards = [row.id for row in held_out.guards]
    key = step_key("augment", AUGMENT_VERSION, curated.digest, settings.digest, guards)
    known = lake.find(key, DatasetRef)
    if known is not None:
        return known
    away = [*read_records(lake.path(curated) / "evaluation"), *held_out.guards]
    evaluation = EvaluationIndex.build(away, recipe.data.near_duplicate)
    with lake.aside() as folder, lake.aside() as work:
        job = partial(_make, settings, evaluation, work)
        made = engine.map(job, part_files(lake.path(curated) / TRAIN))
        facts = _join(folder, lake.path(curated), made, settings)
        rows = curated.rows + facts["variants"]
        earlier = lake.manifest(curated)
        own = {name: earlier[name] for name in earlier.keys() - {"digest", "files", "step"}}
        return lake.commit(
            folder, "curated", key, partial(DatasetRef, rows=rows), **{**own, **facts, TRAIN: rows}
        )


def _make(settings: AugmentSettings, evaluation: EvaluationIndex, work: Path, path: Path) -> _Made:
    table = read_part(path)
    made = augment_table(table, settings)
    write_part(work / path.name, made.table)
    return _Made(
        work / path.name,
        candidates(made.table, settings, evaluation),
        prompt_digests(records_of(table)),
        made.counts,
        made.failures,
    )


def _join(
    folder: Path, curated: Path, made: Sequence[_Made], settings: AugmentSettings
) -> dict[str, Any]:
    counts = added(part.counts for part in made)
    failures = added_up([part.failures for part in made])
    check_failures(counts, failures, settings)
    prompts = np.concatenate([part.prompts for part in made])
    columns = together([part.columns for part in made])
    fates = np.array(fates_of(columns, prompts, most(len(prompts), settings)), dtype=object)
    for side in (*SPLITS, "gone"):
        for path in part_files(curated / side):
            copy_part(path, folder / side / path.name)
    start, variants = 0, 0
    for number, part in enumerate(made, len(made)):
        table = read_part(part.path)
        kept = table.filter(pa.array(fates[start : start + table.num_rows] == KEPT, pa.bool_()))
        start, variants = start + table.num_rows, variants + kept.num_rows
        write_part(folder / TRAIN / part_name(number), kept)
    told = dict(sorted(Counter[str](fates.tolist()).items()))
    return {"variants": variants, "augmentation": counts, "variants_by_fate": told}
