"""The memory tables of docs/many_machines.md, computed by what the trainer itself computes.

    python -m docs.make_memory_table

prints them; a test compares the page with them.
"""

from __future__ import annotations

import sys
from typing import Any

from sluice.recipe import LauncherSection, Method, TrainingSection
from sluice.training.memory import MemoryEstimate, estimate
from sluice.training.model_shape import ModelShape

# Sizes as in the models' config.json; parameters as their pages say.
SHAPES = {
    "7B": ModelShape(7_615_616_512, 28, 3584, 512, 18944, 152064, 2 * 152064 * 3584),
    "32B": ModelShape(32_763_876_352, 64, 5120, 1024, 27648, 152064, 2 * 152064 * 5120),
    "70B": ModelShape(70_553_706_496, 80, 8192, 1024, 28672, 128256, 2 * 128256 * 8192),
}
METHODS: tuple[Method, ...] = ("full", "lora", "qlora")
GPUS = (1, 4, 8)
LONGEST = 2048


def tables() -> str:
    """Both tables as Markdown."""
    return f"{_by_model()}\n\n{_by_strategy()}"


def _by_model() -> str:
    head = "| model | method | weights | trained and its optimizer | activations, logits, rest |"
    head += "".join(f" {gpus} GPU{'s' if gpus > 1 else ''} |" for gpus in GPUS)
    rows = [_model_row(name, shape, method) for name, shape in SHAPES.items() for method in METHODS]
    return "\n".join([head, "|---|---|" + "---:|" * (3 + len(GPUS)), *rows])


def _model_row(name: str, shape: ModelShape, method: Method) -> str:
    # Weights of 4 bits cannot be shared: each process has them all.
    strategy = "ddp" if method == "qlora" else "fsdp"
    alone = _needed(shape, method)
    totals = [_needed(shape, method, strategy=strategy, processes=n).total for n in GPUS]
    states = alone.gradients + alone.optimizer
    rest = alone.activations + alone.logits + alone.context
    figures = [alone.weights, states, rest, *totals]
    return f"| {name} | {method} | " + " | ".join(_gb(figure) for figure in figures) + " |"


def _by_strategy() -> str:
    cases: dict[str, dict[str, Any]] = {
        "ddp": {},
        "deepspeed, zero_stage 1": {"strategy": "deepspeed", "zero_stage": 1},
        "deepspeed, zero_stage 2": {"strategy": "deepspeed", "zero_stage": 2},
        "deepspeed, zero_stage 3": {"strategy": "deepspeed", "zero_stage": 3},
        "deepspeed, zero_stage 3, offload": {
            "strategy": "deepspeed",
            "zero_stage": 3,
            "offload": True,
        },
        "fsdp": {"strategy": "fsdp"},
        "fsdp, offload": {"strategy": "fsdp", "offload": True},
    }
    rows = [_strategy_row(name, case) for name, case in cases.items()]
    head = "| strategy | weights | gradients | optimizer | each GPU | main memory, each process |"
    return "\n".join([head, "|---|" + "---:|" * 5, *rows])


def _strategy_row(name: str, case: dict[str, Any]) -> str:
    need = _needed(SHAPES["7B"], "full", processes=8, **case)
    figures = [need.weights, need.gradients, need.optimizer, need.total, need.offloaded]
    return f"| {name} | " + " | ".join(_gb(figure) for figure in figures) + " |"


def _needed(
    shape: ModelShape, method: Method, *, processes: int = 1, **launcher: Any
) -> MemoryEstimate:
    kind = "accelerate" if processes > 1 or launcher else "local"
    section = LauncherSection.model_validate({"kind": kind, "processes": processes, **launcher})
    settings = TrainingSection(method=method, batch_size=1, launcher=section)
    return estimate(shape, settings, precision="bf16", longest=LONGEST, checkpointing=True)


def _gb(size: float) -> str:
    return f"{size / 1e9:.1f}"


if __name__ == "__main__":
    sys.stdout.write(tables() + "\n")
