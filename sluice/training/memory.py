"""How much memory a training takes in each of its processes, before it starts.

Bytes for each parameter, with T parameters trained out of P:

    weights      4 fp32, 2 bf16, 0.516 nf4 (4 bits, and 0.127 bits of constants after double
                 quantisation: Dettmers et al. 2023), 1.002 int8; embeddings are never quantised
    gradients    4: what is trained is fp32, and with `full` and `hybrid` the whole base is
    optimizer    AdamW keeps two numbers of the weights' type: 8; 8-bit AdamW two bytes and two fp32
                 constants for each block of 256 (Dettmers et al. 2022)
    DeepSpeed    in bf16 keeps fp32 weights and fp32 AdamW beside them: 12 (Rajbhandari et al. 2020)

Processes share: ZeRO 1 the optimizer, 2 the gradients too, 3 (and FSDP) the weights too, where two
layers at a time are whole. Offloading moves what is shared to the main memory.

Activations follow Korthikanti et al. 2022 (section 4), counted for a gated feed-forward layer and
an attention that keeps no square of scores: for each token and layer 8h + 2kv + 4i numbers (h
hidden size, kv size of keys, i size of the feed-forward layer); with checkpointing h for each
layer, and one layer whole. Logits are computed in pieces (`LOSS_TOKENS`). Each tensor is counted
as the weights' type; dropout's masks and the library's own overhead (`CONTEXT`) are rough.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from sluice.recipe import TrainingSection
from sluice.training.methods.catalogue import METHODS
from sluice.training.model_shape import ModelShape

BYTES = {"fp32": 4.0, "bf16": 2.0, "nf4": 4.127 / 8, "int8": 1.002}
STATES = {"adamw": 2.0, "adamw_8bit": 2.0 + 8 / 256}  # times the trained type; bytes
LOSS_TOKENS = 256  # TRL's chunk of the loss: so many tokens' logits and their gradients exist
CONTEXT = 1.5e9  # CUDA's context, its kernels, the libraries' buffers
SHARED_FROM = {"optimizer": 1, "gradients": 2, "weights": 3}  # ZeRO stages


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Bytes in one process. `offloaded` lie in the main memory, and are in no other figure."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    context: float
    offloaded: float = 0.0

    @property
    def total(self) -> float:
        """Bytes on the device that computes."""
        parts = asdict(self)
        parts.pop("offloaded")
        return sum(parts.values())


def estimate(
    shape: ModelShape,
    settings: TrainingSection,
    *,
    precision: str,
    longest: int,
    optimizer: str | None = None,
    checkpointing: bool = False,
    processes: int | None = None,
    padded: bool = True,
) -> MemoryEstimate:
    """What a training needs in each process.

    Args:
        shape: of the base model.
        settings: method, rank, batch size and launcher are read.
        precision: fp32 or bf16, the type that the model computes in.
        longest: tokens of the longest row.
        optimizer: adamw or adamw_8bit; None: as the recipe says, and adamw where it says `auto`.
        checkpointing: whether activations are computed twice instead of kept.
        processes: how many train together; None: as the recipe says.
        padded: whether the rows of a batch are as long as the longest one.
    """
    count = settings.launcher.processes if processes is None else processes
    tokens = settings.batch_size * longest * (1.0 if padded else 0.6)
    said = "adamw" if settings.optimizer == "auto" else settings.optimizer
    parts = _states(shape, settings, precision, (optimizer or said).removeprefix("paged_"))
    kept, offloaded = _shared(parts, shape, settings, count)
    return MemoryEstimate(
        **kept,
        activations=_activations(shape, tokens, precision, checkpointing=checkpointing),
        logits=min(tokens, LOSS_TOKENS) * shape.vocabulary * 4.0 * 2,
        context=CONTEXT,
        offloaded=offloaded,
    )


def trained_parameters(shape: ModelShape, settings: TrainingSection) -> float:
    """How many parameters the method trains; the small methods count as nothing."""
    if settings.method == "full":
        return float(shape.parameters)
    low_rank = {"lora", "qlora", "dora", "pissa", "hybrid", "adalora"}
    if settings.method not in low_rank:
        return 0.0
    rank = settings.rank * (1.5 if settings.method == "adalora" else 1.0)
    whole = shape.embeddings if settings.method == "hybrid" else 0
    return rank * shape.layers * shape.linear_ends + whole


def _states(
    shape: ModelShape, settings: TrainingSection, precision: str, optimizer: str
) -> dict[str, float]:
    trained = trained_parameters(shape, settings)
    full, number = settings.method == "full", BYTES["fp32"]
    states = STATES["adamw_8bit"] if optimizer == "adamw_8bit" else STATES["adamw"] * number
    if _rounds_what_is_trained(settings, precision):
        number, states = BYTES["bf16"], 12.0
    adapters = 0.0 if full else trained * number
    return {
        "weights": _weights(shape, settings, precision) + adapters,
        "gradients": trained * number,
        "optimizer": trained * states,
    }


def _rounds_what_is_trained(settings: TrainingSection, precision: str) -> bool:
    """DeepSpeed's bf16 mode makes all weights bf16, and keeps fp32 ones beside them for AdamW."""
    return settings.launcher.strategy == "deepspeed" and precision == "bf16"


def _weights(shape: ModelShape, settings: TrainingSection, precision: str) -> float:
    if METHODS[settings.method].whole and not _rounds_what_is_trained(settings, precision):
        return shape.parameters * BYTES["fp32"]  # `whole.widen`
    if settings.method != "qlora":
        return shape.parameters * BYTES[precision]
    quantised = shape.parameters - shape.embeddings
    return quantised * BYTES[settings.quantization] + shape.embeddings * BYTES[precision]


def _shared(
    parts: dict[str, float], shape: ModelShape, settings: TrainingSection, count: int
) -> tuple[dict[str, float], float]:
    """What stays on the device in one process, and what lies in the main memory."""
    launcher = settings.launcher
    stage = {"ddp": 0, "fsdp": 3, "deepspeed": launcher.zero_stage}[launcher.strategy]
    if settings.method == "qlora":
        stage = min(stage, 2)  # quantised weights are not cut: accelerate leaves them out
    shares = {
        name: size / count if stage >= SHARED_FROM[name] else size for name, size in parts.items()
    }
    whole_layers = 0.0
    if stage == 3:
        whole_layers = min(2 / shape.layers, 1.0) * parts["weights"] * (1 - 1 / count)
    away: set[str] = set()
    if launcher.offload and stage:
        away = {"optimizer", "gradients"} | ({"weights"} if stage == 3 else set())
    kept = {name: 0.0 if name in away else size for name, size in shares.items()}
    kept["weights"] += whole_layers
    return kept, math.fsum(shares[name] for name in sorted(away))


def _activations(shape: ModelShape, tokens: float, precision: str, *, checkpointing: bool) -> float:
    layer = 8 * shape.hidden + 2 * shape.keys + 4 * shape.feed_forward
    numbers = layer + shape.layers * shape.hidden if checkpointing else layer * shape.layers
    return tokens * numbers * BYTES[precision]
