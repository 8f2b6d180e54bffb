"""The training step: from a contracted data set to a finished model in the lake."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice.child_process import EVENTS, Event
from sluice.data.funnel import Trail
from sluice.data.parts import count_rows
from sluice.lake import Lake, digest_of, step_key
from sluice.recipe import Recipe
from sluice.refs import DatasetRef, ModelRef
from sluice.training.artifact import TrainedModel
from sluice.training.base_model import BaseModel, base_of
from sluice.training.provenance import PROVENANCE, provenance
from sluice.training.recovery import recovering
from sluice.training.request import TrainingRequest
from sluice.training.start import check_start, rows_to_train
from sluice.training.templates import template_text

CODE = 4  # raise it when the same inputs would train another model


def training_key(
    dataset: DatasetRef, recipe: Recipe, base: BaseModel, start: ModelRef | None = None
) -> str:
    """What decides the trained weights: rows, base or start, chat format, training settings."""
    begun = start.digest if start else None
    return step_key("train", CODE, dataset.digest, base.digest, begun, *_what_is_read(recipe))


def _what_is_read(recipe: Recipe) -> tuple[str | None, str | None, dict[str, object]]:
    settings = recipe.training.model_dump(mode="json", exclude={"timeout_minutes"})
    # The template's text, not its name: a file may change under its name.
    return recipe.model.system_prompt, template_text(recipe.model.chat_template), settings


def train_step(
    dataset: DatasetRef,
    recipe: Recipe,
    lake: Lake,
    cache: Path,
    on_event: Callable[[Event], None],
    start: ModelRef | None = None,
    trail: Trail | None = None,
) -> ModelRef:
    """Train on a data set's `train` rows, in a process of its own, or find it already trained.

    `start` is the trained model whose weights it goes on from; None begins at the base. `trail`
    has the data sets that led to `dataset`; the model's manifest then tells how to make it again.

    A training that was killed continues from its newest checkpoint that verifies.

    Raises:
        TrainingError: the process died, the loss was not finite, there is nothing to train on, or
            `start` is another kind of model.
    """
    base = base_of(recipe.model, cache)
    begun = check_start(start, recipe, base, lake) if start else None
    key = training_key(dataset, recipe, base, start)
    found = lake.find(key, ModelRef)
    if found:
        _clear_up(lake, found, lake.root / "work" / key)  # a kill may have come just before it
        return found
    work = lake.work(key)
    with lake.aside() as out:
        rows, replay = rows_to_train(dataset, recipe, begun, lake, work)
        request = _request(dataset, rows, recipe, base, start, lake, work, out)
        facts = recovering(request, work, on_event)
        environment = facts.pop("environment", None)
        if replay:
            facts["replay"] = replay.to_json()
        _describe(dataset, rows, recipe, base, start, facts).write(out)
        ref = lake.commit(
            out,
            "models",
            key,
            lambda uri, digest: ModelRef(
                uri, digest, base=recipe.model.base, method=recipe.training.method
            ),
            training=facts,
            **{PROVENANCE: provenance(dataset, recipe, base, start, trail, lake, environment)},
        )
    _clear_up(lake, ref, work)
    return ref


def _clear_up(lake: Lake, model: ModelRef, work: Path) -> None:
    """Keep the events, let go of the checkpoints; done again, it changes nothing."""
    # Beside the model, not in it: events hold times, and equal weights shall have one digest.
    history = history_file(lake, model)
    history.parent.mkdir(parents=True, exist_ok=True)
    if (work / EVENTS).exists():
        shutil.copyfile(work / EVENTS, history)
    shutil.rmtree(work, ignore_errors=True)


def history_file(lake: Lake, model: ModelRef) -> Path:
    """Where the events of a model's training (losses, rates, times) are kept, as JSON lines."""
    return lake.root / "training" / f"{model.digest}.jsonl"


def _request(
    dataset: DatasetRef,
    rows: Path,
    recipe: Recipe,
    base: BaseModel,
    start: ModelRef | None,
    lake: Lake,
    work: Path,
    out: Path,
) -> TrainingRequest:
    folder = lake.path(dataset)
    return TrainingRequest(
        base=recipe.model.base,
        base_folder=str(base.folder),
        system_prompt=recipe.model.system_prompt,
        chat_template=recipe.model.chat_template,
        remote_code=base.remote_code,
        train=str(rows),
        validation=str(folder / "validation"),
        settings=recipe.training,
        start=str(lake.path(start)) if start else None,
        work=str(work),
        out=str(out),
    )


def _describe(
    dataset: DatasetRef,
    rows: Path,
    recipe: Recipe,
    base: BaseModel,
    start: ModelRef | None,
    facts: dict[str, Any],
) -> TrainedModel:
    return TrainedModel(
        base=recipe.model.base,
        revision=recipe.model.revision,
        base_digest=base.digest,
        method=recipe.training.method,
        precision=str(facts["precision"]),
        system_prompt=recipe.model.system_prompt,
        dataset_digest=dataset.digest,
        recipe_digest=digest_of(_what_is_read(recipe)),
        rows=count_rows(rows),
        quantization=recipe.training.quantization if recipe.training.method == "qlora" else None,
        remote_code=base.remote_code,
        chat_digest=facts.get("chat_digest"),
        started_from=start.digest if start else None,
    )
