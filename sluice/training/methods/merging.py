"""Make an adapter part of its base's weights, for programs that load whole models only."""

from __future__ import annotations

from typing import Any

import bitsandbytes
import peft
import torch
from peft.tuners import lora
from peft.utils import integrations

from sluice.errors import TrainingError
from sluice.training.methods.catalogue import METHODS

# These are typed in part only.
dequantize_bnb_weight: Any = integrations.dequantize_bnb_weight
LoraLayer: Any = lora.LoraLayer
_bnb: Any = bitsandbytes
# How far the logits of a merged model move, as a share of the largest logit. In fp32 sums are
# taken in another order; in bf16 each merged weight is rounded once more.
MERGED_TOLERANCE = {"fp32": 1e-5, "bf16": 0.1}


def merged(model: Any) -> Any:
    """A transformers model without an adapter that computes what the adapted one does.

    The model given is used up. A quantised base comes back in the type it computes in, from its
    rounded weights: scores of the merged model are to be taken anew.

    Raises:
        TrainingError: the method's adapter cannot be merged; the text says why.
    """
    config: Any = model.peft_config["default"] if isinstance(model, peft.PeftModel) else None
    if config is None:
        raise TrainingError("There is no adapter to merge: these weights are the whole model.")
    reason = _reason_against(str(config.peft_type.value))
    if reason:
        raise TrainingError(f"An adapter of this kind cannot be merged: {reason}.")
    if getattr(model.get_base_model(), "is_quantized", False):
        return _merged_quantised(model).eval()
    whole = model.merge_and_unload(safe_merge=True)
    whole.config.tie_word_embeddings = _tied(whole)
    return whole.eval()


def _reason_against(peft_type: str) -> str | None:
    kinds = (spec for spec in METHODS.values() if spec.peft_type == peft_type)
    return next((spec.no_merge for spec in kinds if spec.no_merge), None)


def _tied(model: Any) -> bool:
    return model.get_input_embeddings().weight is model.get_output_embeddings().weight


def _merged_quantised(model: Any) -> Any:
    base = model.get_base_model()
    for kinds in ((LoraLayer,), (_bnb.nn.Linear4bit, _bnb.nn.Linear8bitLt)):
        for name, layer in list(base.named_modules()):
            if isinstance(layer, kinds):
                parent, _, leaf = name.rpartition(".")
                setattr(base.get_submodule(parent), leaf, _ordinary(layer, base.dtype))
    base.is_quantized = base.is_loaded_in_4bit = base.is_loaded_in_8bit = False
    base.hf_quantizer = None
    del base.config.quantization_config
    return base


def _ordinary(layer: Any, dtype: torch.dtype) -> torch.nn.Linear:
    stored = layer.get_base_layer() if isinstance(layer, LoraLayer) else layer
    weight = dequantize_bnb_weight(stored.weight, state=getattr(stored, "state", None)).float()
    if isinstance(layer, LoraLayer):
        weight += layer.get_delta_weight("default").float()
    linear = torch.nn.Linear(stored.in_features, stored.out_features, stored.bias is not None)
    linear.weight = torch.nn.Parameter(weight.to(dtype), requires_grad=False)
    if stored.bias is not None:
        linear.bias = torch.nn.Parameter(stored.bias.data.to(dtype), requires_grad=False)
    return linear
