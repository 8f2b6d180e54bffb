"""The whole data path over small files, and what became of each of their lines."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet

from data_contracts.preparation import Preparation
from sluice.data.account import OUTCOMES, Account, write_account
from sluice.data.funnel import Stage, Trail, funnel
from sluice.data.ingest import ingest_files
from sluice.data.intake.live import live_batches
from sluice.lake import Lake, step_key
from sluice.recipe import ComputeSection, ContractSection, DataSection, ModelSection, Recipe
from sluice.refs import DatasetRef

pq: Any = pyarrow.parquet

LENIENT = ContractSection(
    min_rows=1, max_quarantined_share=1, max_blank_share=None, max_drop_share=None
)

Place = tuple[str, int]
Fate = tuple[str, str]


@dataclass(frozen=True)
class Outcome:
    """What a preparation left: its data sets, and the four files of its account."""

    lake: Lake
    trail: Trail
    account: Account
    folder: Path

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The funnel."""
        return funnel(self.trail, self.lake)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of one of the files."""
        found: list[dict[str, Any]] = pq.read_table(self.folder / f"{name}.parquet").to_pylist()
        return found

    def places(self) -> list[tuple[Place, Fate]]:
        """For each row of the four files, where it came from and what became of it."""
        return [
            ((row["source"], row["line"]), (name, row["reason"]))
            for name in OUTCOMES
            for row in self.rows(name)
        ]

    def fates(self) -> dict[Place, Fate]:
        """What became of each line; fails if one is told of twice."""
        places = self.places()
        twice = [place for place, count in Counter(p for p, _ in places).items() if count > 1]
        assert not twice, twice
        return dict(places)

    def files(self) -> dict[str, bytes]:
        """The bytes of the files."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.glob("*.parquet"))}


def any_recipe(**sections: Any) -> Recipe:
    """A recipe that refuses no batch for its share of bad rows, and stays in this process."""
    sections = {"contract": LENIENT, "compute": ComputeSection(workers=1), **sections}
    data = {"evaluation_share": 0.2, "max_reject_share": 1.0, **sections.pop("data", {})}
    model = ModelSection(name="shop", base="./base")
    return Recipe(model=model, data=DataSection(**data), **sections)


def prepare(
    folder: Path,
    files: Sequence[Path],
    recipe: Recipe,
    *,
    tokenizer: Path | None = None,
    contracts: bool = True,
) -> Outcome:
    """Take files in and run all steps in a lake of its own, with or without the contracts.

    Raises:
        BatchError: a file is refused, or nothing is left to train on.
    """
    lake = Lake(folder / "lake")
    steps = Preparation(recipe, folder, lake, folder / "docs", tokenizer)
    intake = ingest_files(list(files), lake, recipe.data, steps.engine)
    if intake.refused:
        raise intake.refused[0].error
    batches = tuple(live_batches(lake, recipe.data, datetime.now(UTC)))
    trail = steps.whole(batches) if contracts else without_contracts(steps, batches)
    account = write_account(trail, lake, folder / "account")
    return Outcome(lake, trail, account, folder / "account")


def without_contracts(steps: Preparation, batches: tuple[DatasetRef, ...]) -> Trail:
    """All steps but the contracts, which cost a second; every row passes them."""
    checked = tuple(_passed(steps.lake, batch, ("records",)) for batch in batches)
    cleaned = steps.clean(checked)
    compared = steps.compare(cleaned)
    curated = steps.augment(steps.split(compared))
    contracted = _passed(steps.lake, curated, ("train", "validation", "evaluation"))
    return Trail(batches, checked, cleaned, compared, curated, contracted)


def _passed(lake: Lake, ref: DatasetRef, sides: Sequence[str]) -> DatasetRef:
    manifest = lake.manifest(ref)
    facts: Mapping[str, Any] = {name: manifest[name] for name in sides if name in manifest}
    with lake.aside() as folder:
        for side in sides:
            shutil.copytree(lake.path(ref) / side, folder / side)
        key = step_key("passed", 1, ref.digest)
        return lake.commit(
            folder, "passed", key, partial(DatasetRef, rows=ref.rows), gone={}, **facts
        )
