"""LoRA and its kin: an update of each linear layer that has few degrees of freedom."""

from __future__ import annotations

from typing import Any

from peft import AdaLoraConfig, LoraConfig, VeraConfig

from sluice.recipe import TrainingSection
from sluice.training.methods.targets import linear_layers, named_layers, transposed
from sluice.training.methods.whole import parts_to_train

VERA_TIMES = 16  # VeRA trains r + out numbers a layer: its paper takes ranks of 256 to 1024
# PiSSA paper, section 5: 16 iterations of fast SVD start as well as the exact one, in seconds.
PISSA_START: Any = "pissa_niter_16"
UNKNOWN_STEPS = 10**9  # until training begins and the number of steps is known


def layers_of(model: Any, settings: TrainingSection) -> list[str]:
    """The layers that get an adapter: the recipe's, or all linear ones but the head.

    All of them, because adapting all layers is what matters most (QLoRA paper, section 4).

    Raises:
        TrainingError: the recipe names a layer that does not exist.
    """
    if settings.target_modules is None:
        return linear_layers(model)
    return named_layers(model, settings.target_modules)


def lora(model: Any, settings: TrainingSection) -> LoraConfig:
    """LoRA, QLoRA, DoRA, PiSSA or hybrid, as PEFT's settings."""
    trained, tied = parts_to_train(model, settings) if settings.method == "hybrid" else ([], False)
    layers = layers_of(model, settings)
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=layers,
        fan_in_fan_out=transposed(model, layers),
        use_dora=settings.method == "dora",
        init_lora_weights=PISSA_START if settings.method == "pissa" else True,
        modules_to_save=trained or None,
        ensure_weight_tying=tied,
        task_type="CAUSAL_LM",
    )


def adalora(model: Any, settings: TrainingSection) -> AdaLoraConfig:
    """AdaLoRA; `rank` is what is left on average, and training begins at one and a half of it."""
    layers = layers_of(model, settings)
    return AdaLoraConfig(
        init_r=start_rank(settings),
        target_r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=layers,
        fan_in_fan_out=transposed(model, layers),
        total_step=UNKNOWN_STEPS,
        orth_reg_weight=0.0,  # PEFT adds it to a loss that TRL does not use; `rank_budget` does
        task_type="CAUSAL_LM",
    )


def start_rank(settings: TrainingSection) -> int:
    """AdaLoRA's rank before anything is cut: 1.5 times the final one (its paper, appendix B)."""
    return (3 * settings.rank + 1) // 2


def hold_rank_numbers(model: Any) -> None:
    """Close AdaLoRA's constant divisors to gradients; over a bf16 base PEFT opens them.

    They are not saved: had they been trained, what comes back would be another model.
    """
    for name, parameter in model.named_parameters():
        if ".ranknum." in name:
            parameter.requires_grad_(False)


def vera(model: Any, settings: TrainingSection) -> VeraConfig:
    """VeRA; the rank is 16 times the recipe's, since its cost hardly depends on it."""
    layers = layers_of(model, settings)
    return VeraConfig(
        r=settings.rank * VERA_TIMES,
        vera_dropout=settings.dropout,
        target_modules=layers,
        fan_in_fan_out=transposed(model, layers),
        # The random matrices are saved too: torch does not promise that a seed gives the same
        # numbers in another version, and an adapter means nothing over other matrices.
        save_projection=True,
        task_type="CAUSAL_LM",
    )
