"""Go on from a trained model: the champion's adapter, open to gradients again.

Virtual tokens go on as vectors that are learned themselves: the network that wrote them is only
a help for the first training and is not kept. PiSSA goes on as the LoRA that it was saved as, and
AdaLoRA with the ranks that were left.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import peft
import safetensors.torch
import torch

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.artifact import ADAPTER, ADAPTER_WEIGHTS, TrainedModel
from sluice.training.loading import undo_rounding
from sluice.training.methods.catalogue import METHODS
from sluice.training.methods.low_rank import hold_rank_numbers
from sluice.training.methods.whole import widen

# These are typed in part only.
PeftModel: Any = peft.PeftModel
PeftConfig: Any = peft.PeftConfig
get_peft_model: Any = peft.get_peft_model
_tensors: Any = safetensors.torch

# What must be equal, by its name in PEFT's settings and in the recipe.
_SHAPE = {
    "r": "rank",
    "target_r": "rank",
    "lora_alpha": "alpha",
    "target_modules": "target_modules",
    "modules_to_save": "fully_trained",
    "num_virtual_tokens": "virtual_tokens",
}


def require_same_method(start: Path, settings: TrainingSection) -> None:
    """Refuse to go on from a model of another method, or over a base stored in other bits.

    Raises:
        TrainingError: it was trained with another method or quantisation.
    """
    facts = TrainedModel.read(start)
    quantization = settings.quantization if METHODS[settings.method].quantised else None
    differences = [
        f"{name} {now or 'none'} where it has {before or 'none'}"
        for name, now, before in (
            ("`method`", settings.method, facts.method),
            ("`quantization`", quantization, facts.quantization),
        )
        if now != before
    ]
    _refuse(differences)


def continued(model: Any, start: Path, settings: TrainingSection, config: Any) -> Any:
    """A base model with the adapter of a trained model on it, open to gradients.

    Args:
        model: the base, as `load_base` returns it.
        start: the trained model's folder in the lake.
        settings: the recipe's; method and shape must be those of `start`.
        config: PEFT's settings, as the recipe's would be for a fresh adapter.

    Raises:
        TrainingError: the adapter has another shape; the text says which.
    """
    saved = PeftConfig.from_pretrained(str(start / ADAPTER))
    _refuse(_differences(saved, config, doubled=settings.method == "pissa"))
    saved.base_model_name_or_path = model.name_or_path  # or PEFT looks for that name on the hub
    if saved.is_prompt_learning:
        return _with_vectors(model, saved, start / ADAPTER)
    for name in ("lora_dropout", "vera_dropout"):
        if hasattr(saved, name):
            setattr(saved, name, settings.dropout)
    adapted = PeftModel.from_pretrained(
        model, str(start / ADAPTER), config=saved, is_trainable=True, local_files_only=True
    )
    undo_rounding(adapted, start / ADAPTER, "default")
    if settings.method == "hybrid":
        widen(adapted)
    hold_rank_numbers(adapted)
    return adapted.train()


def _with_vectors(model: Any, config: Any, adapter: Path) -> Any:
    config.inference_mode = False
    if hasattr(config, "prefix_projection"):
        config.prefix_projection = False
    adapted = get_peft_model(model, config)
    encoder = adapted.prompt_encoder["default"]
    if hasattr(encoder, "mlp_head"):
        encoder.mlp_head = torch.nn.Identity()
    saved = _tensors.load_file(str(adapter / ADAPTER_WEIGHTS))
    with torch.no_grad():
        encoder.embedding.weight.copy_(saved["prompt_embeddings"])
    return adapted


def _differences(saved: Any, config: Any, *, doubled: bool) -> list[str]:
    found: list[str] = []
    for field, key in _SHAPE.items():
        before, now = _plain(getattr(saved, field, None)), _plain(getattr(config, field, None))
        if doubled and field in ("r", "lora_alpha"):
            before //= 2  # it was saved as a LoRA of twice the rank
        if before != now:
            found.append(f"`{key}` {now} where it has {before}")
    return found


def _plain(value: Any) -> Any:
    return sorted(cast("list[str]", value)) if isinstance(value, (set, list, tuple)) else value


def _refuse(differences: list[str]) -> None:
    if differences:
        raise TrainingError(
            "The model to go on from was trained in another form. The recipe says "
            f"{', '.join(differences)}. Make `training` equal to it, or train anew with "
            "`start_from: base`."
        )
