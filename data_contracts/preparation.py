"""The data path, step after step: the same for a flow's tasks and for `sluice prepare`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from data_contracts.steps import raw_contract_step, training_contract_step
from sluice.data.augmented import augment_step
from sluice.data.cleaned import clean_step
from sluice.data.cleaning.clean import CleanSettings
from sluice.data.compared import compare_step
from sluice.data.compute import engine_of
from sluice.data.curated import split_step
from sluice.data.drift import DriftReport
from sluice.data.funnel import Trail, gone_reasons
from sluice.data.held_out import HeldOut, read_held_out
from sluice.data.progress import Tell, WatchedEngine, untold_progress
from sluice.lake import Lake
from sluice.recipe import Recipe
from sluice.refs import DatasetRef

Batches = tuple[DatasetRef, ...]
P = ParamSpec("P")
R = TypeVar("R")


def _timed(
    stage: str,
) -> Callable[[Callable[Concatenate[Preparation, P], R]], Callable[Concatenate[Preparation, P], R]]:
    """Note how long a step took."""

    def wrap(
        step: Callable[Concatenate[Preparation, P], R],
    ) -> Callable[Concatenate[Preparation, P], R]:
        @wraps(step)
        def timed(self: Preparation, *args: P.args, **kwargs: P.kwargs) -> R:
            started = time.monotonic()
            try:
                return step(self, *args, **kwargs)
            finally:
                self.seconds[stage] = round(time.monotonic() - started, 3)

        return timed

    return wrap


@dataclass(frozen=True)
class Preparation:
    """What the data steps share. `tokenizer` is the base model's `tokenizer.json`.

    Without a tokenizer no row is measured in model tokens. `docs_folder` receives the Data Docs;
    `tell` is told how far a step is; `seconds` receives how long each took.
    """

    recipe: Recipe
    recipe_dir: Path
    lake: Lake
    docs_folder: Path
    tokenizer: Path | None
    tell: Tell = untold_progress
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    @cached_property
    def engine(self) -> WatchedEngine:
        """Where the steps run."""
        return WatchedEngine(engine_of(self.recipe.compute), self.tell)

    @cached_property
    def settings(self) -> CleanSettings:
        """All that cleaning reads."""
        return CleanSettings.of(self.recipe, self.tokenizer)

    @cached_property
    def held_out(self) -> HeldOut:
        """The rows that no model trains on."""
        return read_held_out(self.recipe.data, self.recipe_dir, self.settings)

    @_timed("check raw records")
    def check_raw(self, snapshots: Sequence[DatasetRef]) -> Batches:
        """Hold each batch to the contract of raw records."""
        return tuple(
            raw_contract_step(batch, self.recipe, self.lake, self.docs_folder)
            for batch in snapshots
        )

    @_timed("clean")
    def clean(self, checked: Sequence[DatasetRef]) -> Batches:
        """Repair and drop rows of each batch; one that was cleaned before is not cleaned again."""
        cleaned: list[DatasetRef] = []
        for batch in checked:
            self.engine.begin("clean", batch.rows)
            cleaned.append(clean_step(batch, self.settings, self.lake, self.engine))
        return tuple(cleaned)

    @_timed("compare")
    def compare(self, cleaned: Sequence[DatasetRef]) -> DatasetRef:
        """Remove copies, contradictions, and what resembles a held-out row."""
        self.engine.begin("compare", sum(batch.rows for batch in cleaned))
        return compare_step(cleaned, self.held_out, self.recipe, self.lake, self.engine)

    @_timed("split")
    def split(self, compared: DatasetRef) -> DatasetRef:
        """Keep evaluation rows apart from those that train."""
        self.engine.begin("split", compared.rows)
        return split_step(compared, self.held_out, self.recipe, self.lake, self.engine)

    @_timed("augment")
    def augment(self, curated: DatasetRef) -> DatasetRef:
        """Add variants to the training rows, where the recipe asks for them."""
        self.engine.begin("augment", curated.rows)
        return augment_step(
            curated, self.held_out, self.recipe, self.recipe_dir, self.lake, self.engine
        )

    @_timed("check training examples")
    def check_training(
        self,
        checked: Sequence[DatasetRef],
        cleaned: Sequence[DatasetRef],
        compared: DatasetRef,
        curated: DatasetRef,
        drift: DriftReport | None = None,
    ) -> DatasetRef:
        """Hold what shall be trained on to its contracts, given the data sets that led to it."""
        facts = {
            "rows_in": sum(self.lake.manifest(ref)["rows"] for ref in checked),
            "gone": gone_reasons((*checked, *cleaned, compared), self.lake),
        }
        return training_contract_step(
            curated,
            self.recipe,
            self.lake,
            self.tokenizer,
            self.docs_folder,
            facts=facts,
            drift=drift,
        )

    def whole(self, snapshots: Sequence[DatasetRef]) -> Trail:
        """All steps, one after the other."""
        checked = self.check_raw(snapshots)
        cleaned = self.clean(checked)
        compared = self.compare(cleaned)
        curated = self.augment(self.split(compared))
        contracted = self.check_training(checked, cleaned, compared, curated)
        return Trail(tuple(snapshots), checked, cleaned, compared, curated, contracted)
