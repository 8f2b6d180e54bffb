"""What is chosen by hardware, and why: said in the events, so that nobody has to guess."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from sluice.recipe import TrainingSection
from sluice.training.loading import chosen_precision, use_threads


@dataclass(frozen=True, slots=True)
class Why:
    """One choice: what it is about, what was taken, and the reason in a few words."""

    about: str
    taken: str
    reason: str


@dataclass(frozen=True, slots=True)
class Choices:
    """`device` is cpu or cuda; `precision` fp32 or bf16; `optimizer` is a transformers name."""

    device: str
    precision: str
    threads: int
    gradient_checkpointing: bool
    optimizer: str
    compile: bool
    reasons: tuple[Why, ...]

    def to_json(self) -> dict[str, Any]:
        """The choices as a JSON-ready dictionary."""
        return asdict(self)


def choose(settings: TrainingSection) -> Choices:
    """What to train with on this machine. Sets the number of threads."""
    return Choices(
        device="cuda" if torch.cuda.is_available() else "cpu",
        precision=chosen_precision(settings.precision),
        threads=use_threads(settings.threads),
        gradient_checkpointing=settings.gradient_checkpointing == "on",
        optimizer="adamw_torch_fused",
        compile=settings.compile == "on",
        reasons=(),
    )
