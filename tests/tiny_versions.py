"""Trained versions of every method in a lake, with weights that answer differently for each seed.

They are made by the same parts as real ones: the method put on a tiny base, its trained numbers
moved as far as a training would not, saved with its probe. `build_wide_base` is what
4-bit kernels take: their blocks hold 64 numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tiny_models import build_tiny_base
from tiny_training import request_on
from transformers import AutoConfig, AutoModelForCausalLM

from sluice.lake import Lake
from sluice.recipe import TrainingSection
from sluice.refs import ModelRef
from sluice.training.artifact import TrainedModel
from sluice.training.base_model import resolve_base
from sluice.training.chat import chat_digest, stop_ids
from sluice.training.loading import load_base, load_tokenizer
from sluice.training.methods.apply import with_method
from sluice.training.methods.catalogue import METHODS
from sluice.training.saving import save_model

SIZES = {"rank": 4, "alpha": 8}


def build_wide_base(folder: Path) -> Path:
    """Write a base model of 64 numbers in each hidden state; returns its folder."""
    build_tiny_base(folder)
    configs: Any = AutoConfig
    config = configs.from_pretrained(folder)
    config.hidden_size, config.intermediate_size, config.head_dim = 64, 128, 16
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models: Any = AutoModelForCausalLM
        models.from_config(config, dtype=torch.float32).save_pretrained(folder)
    return folder


def build_version(
    lake: Lake,
    base: Path,
    method: str,
    *,
    seed: int,
    system_prompt: str | None = None,
    chat_template: str | None = None,
    **settings: Any,
) -> ModelRef:
    """Write a version into a lake. `settings` are those of `training` beside the method."""
    section = TrainingSection.model_validate({"method": method, **SIZES, **settings})
    quantization = section.quantization if METHODS[section.method].quantised else None
    resolved = resolve_base(str(base), None, lake.root.parent / "cache")
    with torch.random.fork_rng(), lake.aside() as out:
        torch.manual_seed(seed)
        tokenizer = load_tokenizer(base)
        tokenizer.chat_template = chat_template or tokenizer.chat_template
        model = with_method(load_base(base, "fp32", quantization=quantization), section, tokenizer)
        _move(model, method)
        request = request_on(base, section, out, out)
        save_model(model, tokenizer, request, out)
        facts = TrainedModel(
            base=str(base),
            revision=None,
            base_digest=resolved.digest,
            method=method,
            precision="fp32",
            system_prompt=system_prompt,
            dataset_digest="d" * 64,
            recipe_digest="r" * 64,
            rows=9,
            quantization=quantization,
            chat_digest=chat_digest(tokenizer, stop_ids(model, tokenizer)),
        )
        facts.write(out)
        return lake.commit(
            out,
            "models",
            f"{method}-{seed}-{section.quantization}",
            lambda uri, digest: ModelRef(uri, digest, str(base), section.method),
        )


def _move(model: Any, method: str) -> None:
    far = 0.02 if method == "full" else 0.3
    with torch.no_grad():
        for weights in model.parameters():
            if weights.requires_grad and weights.is_floating_point():
                weights.add_(torch.randn_like(weights) * far)
