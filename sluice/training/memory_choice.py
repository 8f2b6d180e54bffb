"""Optimizer and gradient checkpointing: what fits into memory, the fastest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.errors import BaseModelError, TrainingError
from sluice.recipe import TrainingSection
from sluice.training.hardware import Machine
from sluice.training.memory import estimate
from sluice.training.methods.catalogue import METHODS
from sluice.training.model_shape import ModelShape, shape_of

# Of the free memory; the rest is for fragments, and for what the estimate does not know.
MEMORY_SHARE = 0.85
SAID = "the recipe says so"


@dataclass(frozen=True, slots=True)
class Why:
    """One choice: what it is about, what was taken, and the reason in a few words."""

    about: str
    taken: str
    reason: str


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be trained: the model's shape, tokens of the longest row, tokens in all epochs."""

    shape: ModelShape
    longest: int
    tokens: float


def work_of(folder: Path, lengths: Sequence[int], epochs: float) -> Work | None:
    """The work that rows of these lengths in tokens are; None where the model's shape is unknown.

    Args:
        folder: of the base model.
    """
    if not lengths:
        return None
    try:
        return Work(shape_of(folder), max(lengths), sum(lengths) * epochs)
    except BaseModelError:
        return None


def fitting(
    settings: TrainingSection, machine: Machine, work: Work | None, precision: str
) -> tuple[Why, Why]:
    """Optimizer and checkpointing: the first pair that fits, the fastest ones first.

    Raises:
        TrainingError: the recipe asks for what the machine or the method does not have.
    """
    if settings.gradient_checkpointing == "on" and not METHODS[settings.method].checkpointing:
        raise TrainingError(
            f"`training.gradient_checkpointing: on` cannot be with `method: {settings.method}`: "
            "what it learns is a cache before the prompt, which computing activations twice would "
            "fill twice. Set it to `auto`; to save memory, lower `batch_size`."
        )
    if settings.optimizer == "paged_adamw_8bit" and not machine.gpus:
        raise TrainingError(
            "`training.optimizer: paged_adamw_8bit` pages between a GPU and the main memory, and "
            "there is no GPU here. Take `adamw_8bit`, or `auto`."
        )
    if settings.optimizer != "auto" and settings.gradient_checkpointing != "auto":
        return (
            Why("optimizer", settings.optimizer, SAID),
            Why("gradient checkpointing", settings.gradient_checkpointing, SAID),
        )
    pairs = [(o, c) for o in _optimizers(settings, machine) for c in _checkpointing(settings)]
    if work is None:
        return _reasons(settings, *pairs[0], "the size of the work is not known")
    # First what costs no time, then what costs a third of it, then what rounds the optimizer.
    room = machine.device_memory * MEMORY_SHARE
    needs = {pair: _needed(settings, work, precision, pair) for pair in pairs}
    best = next((pair for pair in pairs if needs[pair] <= room), min(pairs, key=lambda p: needs[p]))
    text = f"about {_gb(needs[best])} GB needed, {_gb(machine.device_memory)} GB free"
    if needs[best] > room:
        text += "; it may not suffice"
    elif best != pairs[0]:
        text += f"; without it about {_gb(needs[pairs[0]])} GB"
    return _reasons(settings, *best, text)


def _optimizers(settings: TrainingSection, machine: Machine) -> list[str]:
    if settings.optimizer != "auto":
        return [settings.optimizer]
    # Quantised states are bitsandbytes', which cannot see tensors that FSDP has cut.
    if settings.launcher.strategy == "fsdp":
        return ["adamw"]
    return ["adamw", "paged_adamw_8bit" if machine.gpus else "adamw_8bit"]


def _checkpointing(settings: TrainingSection) -> list[str]:
    found = settings.gradient_checkpointing
    if found != "auto":
        return [found]
    return ["off", "on"] if METHODS[settings.method].checkpointing else ["off"]


def _needed(settings: TrainingSection, work: Work, precision: str, pair: tuple[str, str]) -> float:
    return estimate(
        work.shape,
        settings,
        precision=precision,
        longest=work.longest,
        optimizer=pair[0],
        checkpointing=pair[1] == "on",
    ).total


def _reasons(
    settings: TrainingSection, optimizer: str, checkpointing: str, text: str
) -> tuple[Why, Why]:
    by_recipe = settings.gradient_checkpointing != "auto"
    return (
        Why("optimizer", optimizer, text if settings.optimizer == "auto" else SAID),
        Why("gradient checkpointing", checkpointing, SAID if by_recipe else text),
    )


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f}"
