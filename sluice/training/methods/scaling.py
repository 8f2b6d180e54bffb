"""IA3: factors for keys, values and what enters the second feed-forward layer."""

from __future__ import annotations

from typing import Any

from peft import IA3Config

from sluice.recipe import TrainingSection
from sluice.training.methods.targets import (
    key_value_layers,
    named_layers,
    second_of,
    transposed,
)


def ia3(model: Any, settings: TrainingSection) -> IA3Config:
    """IA3 as PEFT's settings. Where queries, keys and values are one layer, all are scaled.

    Raises:
        TrainingError: the layers cannot be told, or the recipe names one that does not exist.
    """
    if settings.target_modules is None:
        keys_values, second = key_value_layers(model)
        names = sorted({*keys_values, *second})
    else:
        names = named_layers(model, settings.target_modules)
        second = second_of(model, names)
    return IA3Config(
        target_modules=names,
        feedforward_modules=second,
        fan_in_fan_out=transposed(model, names),
        task_type="CAUSAL_LM",
    )
