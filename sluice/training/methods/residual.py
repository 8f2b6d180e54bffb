"""PiSSA as an ordinary LoRA over the unchanged base.

PiSSA takes the largest singular values out of each weight, W = R + s B0 A0, and trains A and B
from there over the rest R. What it learned is s (B A - B0 A0), which is the LoRA of twice the
rank with the rows [A; A0] and the columns [B, -B0], over W itself.
"""

from __future__ import annotations

import copy
from typing import Any

import torch

_START = "pissa_start"  # an attribute of the PEFT model: tensors by their names in an adapter


def remember_start(model: Any, tensors: dict[str, torch.Tensor]) -> None:
    """Keep A0 and B0, before the first step changes them."""
    setattr(model, _START, {name: tensor.detach().clone() for name, tensor in tensors.items()})


def as_ordinary(
    model: Any, tensors: dict[str, torch.Tensor], config: Any
) -> tuple[dict[str, torch.Tensor], Any]:
    """An adapter's tensors and settings as LoRA over the unchanged base; any other as it is."""
    start: dict[str, torch.Tensor] | None = getattr(model, _START, None)
    if start is None:
        return tensors, config
    joined = {name: _joined(name, tensor, start[name]) for name, tensor in tensors.items()}
    config = copy.copy(config)
    config.init_lora_weights = True
    config.r, config.lora_alpha = 2 * config.r, 2 * config.lora_alpha  # their quotient stays
    return joined, config


def _joined(name: str, now: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    if "lora_A" in name:
        return torch.cat([now, start.to(now.device)], dim=0)
    return torch.cat([now, -start.to(now.device)], dim=1)
