"""Make a registered version again in a lake of its own, from the raw batches up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from commands.recorded_version import Recorded, recorded_version
from commands.reproduction_shown import sentence_of
from commands.stages import Stages
from data_contracts.preparation import Preparation
from sluice.data.funnel import Trail
from sluice.errors import SluiceError
from sluice.home import Home, cache_dir
from sluice.home_recipe import home_recipe
from sluice.lake import Lake, digest_of
from sluice.process_lock import only_process
from sluice.recipe import ComputeSection, Recipe
from sluice.recipe_file import load_recipe
from sluice.refs import DatasetRef, ModelRef, Ref
from sluice.training.artifact import TrainedModel
from sluice.training.base_model import base_of
from sluice.training.reproduction import Reproduction, compare
from sluice.training.train import train_step


def reproduce_here(
    home: Home, wanted: str, recipe_path: Path | None, tolerance: float, *, quiet: bool
) -> Reproduction:
    """Make a version again and compare; nothing of the home changes, and no server is needed.

    One that was killed goes on where it was: its work lies under the same name.

    Raises:
        RegistryError: there is no such version.
        IntegrityError: what it was made of is not in the lake any more, or was changed.
        SluiceError: the version does not say what it was made of, or a step failed.
    """
    with Stages(quiet=quiet) as stages:
        with stages.of("find the version"):
            recorded = recorded_version(home, wanted)
            recipe, folder = _recipe(home, recorded, recipe_path)
            stages.tell(f"version {recorded.version.version}, {recorded.model.uri}")
        key = digest_of([recorded.model.digest, recipe.model_dump(mode="json")])[:32]
        work = home.lake.work(f"reproduce-{key}")
        with only_process(work / ".lock", _busy):
            made = _make_again(home.lake, recorded, recipe, folder, work, stages)
            name = recorded.version.version
            with stages.of("compare the models"):
                found = compare(
                    name, (home.lake, recorded.model), (_lake_in(work), made), tolerance
                )
                stages.tell(sentence_of(found))
        shutil.rmtree(work)
    return found


def _busy(process: str) -> SluiceError:
    return SluiceError(f"Process {process} makes this version again already. Wait for it.")


def _lake_in(work: Path) -> Lake:
    return Lake(work / "lake")


def _recipe(home: Home, recorded: Recorded, path: Path | None) -> tuple[Recipe, Path]:
    """The recipe to use, and the folder that files named in it are relative to."""
    recipe = load_recipe(path) if path else Recipe.model_validate(recorded.facts["recipe"])
    folder = (path or home_recipe(home)[1]).absolute().parent
    # Here, wherever it was done then: the data steps leave the same bytes on any engine.
    return recipe.model_copy(update={"compute": ComputeSection()}), folder


def _make_again(
    outer: Lake, recorded: Recorded, recipe: Recipe, folder: Path, work: Path, stages: Stages
) -> ModelRef:
    lake = _lake_in(work)
    with stages.of("bring the raw batches"):
        for ref in (*recorded.raw, *_needed_by_start(recorded.start, outer)):
            outer.verify(ref)
            _bring(ref, outer, lake)
        rows = sum(ref.rows for ref in recorded.raw)
        stages.tell(f"{rows} rows in {len(recorded.raw)} batches, as they were read then")
    with stages.of("make the data again"):
        base = base_of(recipe.model, cache_dir())
        preparation = Preparation(
            recipe,
            folder,
            lake,
            work / "data_docs",
            base.tokenizer_file,
            tell=lambda progress: stages.show(progress.told),
        )
        trail = _prepared(preparation, recorded, outer)
        then = recorded.facts["dataset"]["digest"]
        same = "the same" if trail.contracted.digest == then else f"not the same ({then[:12]})"
        stages.tell(f"{trail.contracted.rows} rows, {trail.contracted.digest[:12]}: {same}")
    with stages.of("train"):
        made = train_step(
            trail.contracted,
            recipe,
            lake,
            cache_dir(),
            stages.follow,
            start=recorded.start,
            trail=trail,
        )
        stages.tell(f"model {made.digest[:12]}")
    return made


def _needed_by_start(start: ModelRef | None, lake: Lake) -> Sequence[Ref]:
    """The model that was gone on from and the rows that it had been trained on, if they are here.

    Whether they are needed depends on the settings; the training says so if they are missing.
    """
    if start is None:
        return ()
    digest = TrainedModel.read(lake.path(start)).dataset_digest
    data = Ref(f"contracted/{digest}", digest)
    return (start, data) if lake.path(data).is_dir() else (start,)


def _bring(ref: Ref, outer: Lake, lake: Lake) -> None:
    """Put a finished folder into another lake on the same disk, without a second copy of bytes."""
    target = lake.path(ref)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(outer.path(ref), target, copy_function=_linked)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # not every file system can
        shutil.copyfile(source, target)


def _prepared(preparation: Preparation, recorded: Recorded, outer: Lake) -> Trail:
    checked = preparation.check_raw(recorded.raw)
    cleaned = preparation.clean(checked)
    compared = preparation.compare(cleaned)
    curated = _augmented(preparation, preparation.split(compared), recorded, outer)
    contracted = preparation.check_training(checked, cleaned, compared, curated, recorded.drift)
    return Trail(recorded.raw, checked, cleaned, compared, curated, contracted)


def _augmented(
    preparation: Preparation, curated: DatasetRef, recorded: Recorded, outer: Lake
) -> DatasetRef:
    """Variants made again; those that a model elsewhere had written are taken as it wrote them."""
    methods = preparation.recipe.augmentation.methods
    if not any(method.method == "back_translation" for method in methods):
        return preparation.augment(curated)
    (ref,) = (DatasetRef.from_json(fields) for fields in recorded.facts["data"]["curated"])
    outer.verify(ref)
    _bring(ref, outer, preparation.lake)
    return ref
