"""What a report says about how the candidate came to be: labels and values, for a person."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from sluice import __version__
from sluice.data.funnel import Trail
from sluice.lake import Lake
from sluice.recipe import Recipe, TrainingSection
from sluice.refs import ModelRef
from sluice.training.artifact import TrainedModel
from sluice.training.base_model import BaseModel

Facts = tuple[tuple[str, str], ...]
LOW_RANK = ("lora", "qlora", "dora", "pissa", "hybrid", "adalora")
VIRTUAL = ("prefix", "p_tuning", "prompt")


def facts_of(
    trail: Trail,
    candidate: ModelRef,
    champion: ModelRef | None,
    champion_version: str | None,
    recipe: Recipe,
    lake: Lake,
    base: BaseModel,
) -> Facts:
    """The facts of one comparison, in the order in which they are shown."""
    training: dict[str, Any] = lake.manifest(candidate)["training"]
    notes: list[str] = lake.manifest(trail.compared)["notes"]
    sources = [str(lake.manifest(snapshot)["source"]) for snapshot in trail.snapshots]
    asked = _asked_otherwise(candidate, champion, lake)
    return (
        ("Base model", recipe.model.base.removeprefix("package:")),
        ("Compared with", _baseline(champion_version)),
        ("Files", ", ".join(sources)),
        ("Rows trained on", rows_line(training["rows"])),
        ("Method", f"{describe(recipe.training)}, {_trained_share(training, base)}"),
        ("Training", training_line(recipe.training, training)),
        *(("Mind", note) for note in (*asked, *notes)),
        ("Sluice", __version__),
    )


def describe(settings: TrainingSection) -> str:
    """A method and the settings that give it its size, in a few words."""
    method = settings.method
    words: list[str] = [method]
    if method == "qlora":
        words.append(f"base in {settings.quantization}")
    if method in LOW_RANK:
        words += [f"r = {settings.rank}", f"alpha = {settings.alpha}"]
    if method == "vera":
        words.append(f"r = {settings.rank * 16}")
    if method == "hybrid":
        words.append(f"{' and '.join(settings.fully_trained)} whole")
    if method in VIRTUAL:
        words.append(f"{settings.virtual_tokens} virtual tokens")
    return ", ".join(words)


def rows_line(rows: dict[str, int]) -> str:
    """How many rows were learned from, and what the longest length took from them."""
    line = f"{rows['rows']}"
    if rows["cut"]:
        line += f", {rows['cut']} of them without the end of their answer (training.max_length)"
    if rows["without_answer"]:
        line += f"; {rows['without_answer']} more were left out, since nothing of theirs was left"
    return line


def training_line(settings: TrainingSection, training: dict[str, Any]) -> str:
    """Steps, passes, rows per step, rate and number type, as they were in effect."""
    batch: dict[str, int] = training["effective_batch"]
    asked = settings.batch_size * settings.gradient_accumulation * settings.launcher.processes
    rows = batch["rows_per_step"]
    told = f"{rows} rows a step" + (f" (the recipe: {asked})" if rows != asked else "")
    if batch["batch_size"] < settings.batch_size:
        told += f", {batch['batch_size']} at a time, since more did not fit in memory"
    kept, steps = training["kept_step"], training["steps"]
    best = f", the weights of step {kept}" if kept != steps else ""
    return (
        f"{steps} steps{best}, {settings.epochs:g} epochs, {told}, rate {settings.rate:g}, "
        f"{training['precision']}"
    )


def _baseline(champion_version: str | None) -> str:
    if champion_version is None:
        return "the base model (there is no champion yet)"
    return f"the champion, version {champion_version}, and the base model"


def _asked_otherwise(candidate: ModelRef, champion: ModelRef | None, lake: Lake) -> list[str]:
    """What is to be said where both are not asked in the same words."""
    if champion is None:
        return []
    ours, theirs = (TrainedModel.read(lake.path(model)) for model in (candidate, champion))
    different = [
        name
        for name, differs in (
            ("chat template", _differ(ours.chat_digest, theirs.chat_digest)),
            ("system prompt", ours.system_prompt != theirs.system_prompt),
        )
        if differs
    ]
    if not different:
        return []
    return [
        f"The champion was trained with another {' and another '.join(different)}. Each model is "
        "asked as it is served, with its own; the base as the candidate is."
    ]


def _differ(ours: str | None, theirs: str | None) -> bool:
    return None not in (ours, theirs) and ours != theirs


def _trained_share(training: dict[str, Any], base: BaseModel) -> str:
    trained = int(training["trainable_parameters"])
    share = trained / parameters_in(base.folder)
    return f"{trained:,} parameters trained ({share:.2%} of the base's)"


def parameters_in(folder: Path) -> int:
    """How many numbers the safetensors files of a folder hold, read from their headers."""
    count = 0
    for path in folder.glob("*.safetensors"):
        with path.open("rb") as file:
            header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        for name, tensor in header.items():
            if name != "__metadata__":
                count += math.prod(tensor["shape"])
    return count
