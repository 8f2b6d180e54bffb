"""Weights in 8 bits, and nothing else.

bitsandbytes' own layer (LLM.int8(), arXiv 2208.07339) also rounds what enters a layer, except the
columns in which some row of the batch is large: one row's numbers then depend on its neighbours',
so that an answer served alone is not the one that was scored in a batch. Here the same 8-bit
weights, with one scale for each output, are widened when they are used.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import bitsandbytes.functional
import torch

_bnb: Any = bitsandbytes.functional  # typed in part only
_Function: Any = torch.autograd.Function


def compute_in_full(layer: Any) -> None:
    """Let one Linear8bitLt multiply by its widened weights."""
    layer.forward = MethodType(_forward, layer)


def _forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = _Product.apply(inputs, layer)
    return result if layer.bias is None else result + layer.bias.to(result.dtype)


def _widened(layer: Any, dtype: torch.dtype) -> torch.Tensor:
    scales = layer.weight.SCB if layer.state.SCB is None else layer.state.SCB
    return _bnb.int8_vectorwise_dequant(layer.weight.data, scales).to(dtype)


class _Product(_Function):
    """Inputs times weights; the weights are widened again for the gradient, and never kept."""

    @staticmethod
    def forward(context: Any, inputs: torch.Tensor, layer: Any) -> torch.Tensor:
        context.layer = layer
        return torch.nn.functional.linear(inputs, _widened(layer, inputs.dtype))

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient @ _widened(context.layer, gradient.dtype), None
