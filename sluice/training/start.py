"""What a training begins with: the weights that it goes on from, and the rows that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sluice.data.intake.withdrawal import withdrawn_digests
from sluice.errors import TrainingError
from sluice.lake import MANIFEST, Lake
from sluice.recipe import Recipe
from sluice.refs import DatasetRef, ModelRef
from sluice.training.artifact import TrainedModel
from sluice.training.base_model import BaseModel
from sluice.training.provenance import PROVENANCE
from sluice.training.replay import ReplayCounts, write_replay

REPLAY = "replay"  # the folder of the rows that train, in the step's unfinished work


def check_start(start: ModelRef, recipe: Recipe, base: BaseModel, lake: Lake) -> TrainedModel:
    """The facts of the model that a training goes on from, once they fit the recipe.

    Raises:
        IntegrityError: its bytes are not those that were trained.
        TrainingError: its base, method or quantisation differs from the recipe's.
    """
    lake.verify(start)
    facts = TrainedModel.read(lake.path(start))
    differences = [
        f"{what}: {then or 'none'} then, {now or 'none'} now"
        for what, then, now in _compared(facts, recipe, base)
        if then != now
    ]
    if differences:
        raise TrainingError(
            f"The recipe goes on from model {start.digest[:12]}, and {len(differences)} of what "
            f"must be the same differ: {'; '.join(differences)}. Nothing was trained. Set "
            "`training.start_from: base` for one run, or take the change back."
        )
    return facts


def _compared(
    facts: TrainedModel, recipe: Recipe, base: BaseModel
) -> list[tuple[str, str | None, str | None]]:
    training = recipe.training
    quantization = training.quantization if training.method == "qlora" else None
    return [
        ("base", facts.base_digest[:12], base.digest[:12]),
        ("training.method", facts.method, training.method),
        ("training.quantization", facts.quantization, quantization),
    ]


def withdrawn_behind(start: ModelRef, lake: Lake) -> list[str]:
    """The withdrawn batches that are in a model's weights, by their digests.

    Those that it was trained on, and those that the models were that it went on from, as far as
    they are still in the lake and say so.
    """
    out, found = withdrawn_digests(lake), set[str]()
    model: ModelRef | None = start
    while model is not None and (lake.path(model) / MANIFEST).exists():
        facts: dict[str, Any] = lake.manifest(model).get(PROVENANCE) or {}
        data: dict[str, Any] = facts.get("data") or {}
        found |= out & {ref["digest"] for ref in data.get("raw", ())}
        model = ModelRef.from_json(facts["start"]) if facts.get("start") else None
    return sorted(found)


def rows_to_train(
    dataset: DatasetRef, recipe: Recipe, start: TrainedModel | None, lake: Lake, work: Path
) -> tuple[Path, ReplayCounts | None]:
    """The folder of the rows that train, and their counts where `training.replay` chose them.

    `start` has the facts of the model that the training goes on from; None begins at the base,
    from which every row is new.

    Raises:
        TrainingError: the rows that were trained on cannot be told from new ones, or none is new.
    """
    train, section = lake.path(dataset) / "train", recipe.training.replay
    asks_for_older = start is not None and section.older_share is not None
    if not asks_for_older and section.general_source is None:
        return train, None
    before = _rows_of(start, lake) if start is not None and asks_for_older else None
    counts = write_replay(train, before, section, recipe.training.seed, work / REPLAY)
    return work / REPLAY, counts


def _rows_of(start: TrainedModel, lake: Lake) -> Path:
    folder = lake.root / "contracted" / start.dataset_digest / "train"
    if not folder.is_dir():
        raise TrainingError(
            f"The data set {start.dataset_digest[:12]} that the champion was trained on is not in "
            f"the lake at {lake.root} any more, so that its rows cannot be told from new ones. "
            "Bring the folder back, or take `training.replay.older_share` out of the recipe to "
            "train on all rows."
        )
    return folder
