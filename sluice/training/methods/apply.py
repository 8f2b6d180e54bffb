"""Put a method on a base model, ready to be trained."""

from __future__ import annotations

from typing import Any

import peft
from peft import LoraConfig

from sluice.recipe import TrainingSection

get_peft_model: Any = peft.get_peft_model  # typed in part only


def with_method(model: Any, settings: TrainingSection, tokenizer: Any) -> Any:
    """The model with all that the method trains, and only that, open to gradients."""
    if settings.method == "full":
        return model
    return get_peft_model(model, _lora(settings))


def _lora(settings: TrainingSection) -> LoraConfig:
    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",  # QLoRA paper: adapting all layers matters most
        task_type="CAUSAL_LM",
    )
