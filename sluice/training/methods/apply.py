"""Put a method on a base model, ready to be trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peft
import torch

from sluice.recipe import TrainingSection
from sluice.training.artifact import WEIGHTS
from sluice.training.loading import load_base
from sluice.training.methods.catalogue import METHODS
from sluice.training.methods.going_on import continued, require_same_method
from sluice.training.methods.low_rank import adalora, hold_rank_numbers, lora, vera
from sluice.training.methods.residual import remember_start
from sluice.training.methods.scaling import ia3
from sluice.training.methods.targets import refused_experts
from sluice.training.methods.virtual_tokens import p_tuning, prefix, prompt, start_from_text
from sluice.training.methods.whole import widen
from sluice.training.request import TrainingRequest

_peft: Any = peft  # typed in part only
get_peft_model = _peft.get_peft_model


def prepared(
    request: TrainingRequest, precision: str, tokenizer: Any, *, attention: str = "sdpa"
) -> Any:
    """The model that a request trains: the base with a fresh method, or the trained model it names.

    Args:
        request: its settings, and its base or the model to go on from.
        precision: fp32 or bf16.
        tokenizer: the base's.
        attention: transformers' name of the implementation that training uses.

    Raises:
        TrainingError: the model to go on from was trained with another method or shape, or the
            recipe names layers that the model does not have.
        BaseModelError: the base cannot be stored in the number of bits that the recipe names.
    """
    settings, start = request.settings, Path(request.start) if request.start else None
    spec = METHODS[settings.method]
    if start:
        require_same_method(start, settings)
    goes_on_whole = start is not None and spec.kept == "weights"
    model = load_base(
        start / WEIGHTS if start and goes_on_whole else Path(request.base_folder),
        precision,
        quantization=settings.quantization if spec.quantised else None,
        trust_remote_code=request.remote_code,
        attention=attention,
    )
    if start and not goes_on_whole:
        return continued(model, start, settings, config_of(model, settings))
    return with_method(model, settings, tokenizer)


def with_method(model: Any, settings: TrainingSection, tokenizer: Any) -> Any:
    """The model with all that the method trains, and only that, open to gradients.

    Raises:
        TrainingError: the recipe names layers that the model does not have, a text without
            tokens, or a method that cannot adapt this model's experts.
    """
    config = config_of(model, settings)
    if config is None:
        widen(model)
        return model
    model = _adapted(model, config, settings)
    match settings.method:
        case "hybrid":
            widen(model)
        case "pissa":
            remember_start(model, adapter_tensors(model))
        case "adalora":
            hold_rank_numbers(model)
        case "prompt" if settings.prompt_text is not None:
            start_from_text(model, tokenizer, settings.prompt_text)
        case _:
            pass
    return model


def _adapted(model: Any, config: Any, settings: TrainingSection) -> Any:
    try:
        return get_peft_model(model, config)
    except (AttributeError, ValueError) as error:
        # PEFT itself turns names of layers into names of fused experts, where it knows the family.
        if not getattr(config, "target_parameters", None):
            raise
        raise refused_experts(model, settings, config.target_modules) from error


def config_of(model: Any, settings: TrainingSection) -> Any:
    """A method as PEFT's settings for this model; None for `full`, which has no adapter.

    Raises:
        TrainingError: the recipe names layers that the model does not have.
    """
    match settings.method:
        case "full":
            return None
        case "lora" | "qlora" | "dora" | "pissa" | "hybrid":
            return lora(model, settings)
        case "adalora":
            return adalora(model, settings)
        case "vera":
            return vera(model, settings)
        case "ia3":
            return ia3(model, settings)
        case "prefix":
            return prefix(settings)
        case "p_tuning":
            return p_tuning(settings)
        case "prompt":
            return prompt(settings)


def adapter_tensors(model: Any) -> dict[str, torch.Tensor]:
    """An adapter's tensors, by the names that PEFT saves them under."""
    # PEFT's "auto" would compare the base's vocabulary with that of a hub repository.
    return _peft.get_peft_model_state_dict(model, save_embedding_layers=False)
