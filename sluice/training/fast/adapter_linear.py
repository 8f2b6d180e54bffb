"""A linear layer with a LoRA adapter as one operation, in the precision of the base weights.

PEFT computes y = W x + s B (A x) with x, A x and B A x in float32 where the adapter is float32,
and keeps them all for the backward pass. Here the products run in the base's precision (bf16
where the processor multiplies in it), A and B stay float32 for the optimizer, and only x and
A x are kept. LoRA: arXiv 2106.09685.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Any

import torch
from peft.tuners import lora

_Function: Any = torch.autograd.Function  # typed in part only
_Linear: Any = lora.Linear


class _Adapted(_Function):
    """W x + b + s B (A x); `a` and `b` are A and B in the precision of W."""

    @staticmethod
    def forward(
        ctx: Any, x: Any, weight: Any, bias: Any, a: Any, b: Any, down: Any, up: Any, s: float
    ) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        inner = flat @ down.t()
        out = torch.nn.functional.linear(flat, weight, bias).addmm_(inner, up.t(), alpha=s)
        ctx.save_for_backward(flat, inner, weight, down, up)
        ctx.scale, ctx.shape, ctx.kinds = s, x.shape, (a.dtype, b.dtype)
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        x, inner, weight, down, up = ctx.saved_tensors
        slope = slopes[0].reshape(-1, slopes[0].shape[-1])
        of_inner = (slope @ up).mul_(ctx.scale)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = (slope @ weight).addmm_(of_inner, down).view(ctx.shape)
        of_a = (of_inner.t() @ x).to(ctx.kinds[0])
        of_b = (slope.t() @ inner).to(ctx.kinds[1]).mul_(ctx.scale)
        return of_x, None, None, of_a, of_b, None, None, None


class _Fast:
    """The forward method of one layer while it is trained; anywhere else it is PEFT's."""

    def __init__(self, layer: Any, adapter: str) -> None:
        self._layer, self._adapter = layer, adapter

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        layer = self._layer
        fits = torch.is_grad_enabled() and not args and not kwargs and _why_not(layer) is None
        base = layer.base_layer
        if not fits or x.dtype != base.weight.dtype:
            return _Linear.forward(layer, x, *args, **kwargs)
        a, b = layer.lora_A[self._adapter].weight, layer.lora_B[self._adapter].weight
        # Converted anew each time: the fused AdamW does not raise a tensor's version, so nothing
        # tells whether a converted copy still holds.
        down, up = (weight.detach().to(x.dtype) for weight in (a, b))
        scale = layer.scaling[self._adapter]
        return _Adapted.apply(x, base.weight, base.bias, a, b, down, up, scale)


def _why_not(layer: Any) -> str | None:
    """Why a layer of PEFT's is not plain LoRA on a frozen linear layer, or None if it is."""
    base = layer.base_layer
    if type(base) is not torch.nn.Linear or base.weight.requires_grad:
        return "the layer beneath is not a frozen linear one"
    if layer.disable_adapters or layer.merged or len(layer.active_adapters) != 1:
        return "not exactly one adapter is active"
    name = layer.active_adapters[0]
    if name not in layer.lora_A or name in layer.lora_variant or layer.fan_in_fan_out:
        return "it is a variant of LoRA"
    if layer.lora_bias[name] or type(layer.lora_dropout[name]) is not torch.nn.Identity:
        return "the adapter has dropout or a bias"
    return None


def _plain_layers(model: Any) -> list[Any]:
    return [m for m in model.modules() if type(m) is _Linear and _why_not(m) is None]


def applies(model: Any) -> str | None:
    """Why no layer of the model can be computed this way, or None if at least one can."""
    layers = [m for m in model.modules() if isinstance(m, _Linear)]
    if not layers:
        return "no linear layer has a LoRA adapter"
    if any(_plain_layers(model)):
        return None
    return _why_not(layers[0]) or "it is a variant of LoRA"


@contextlib.contextmanager
def fast_adapters(model: Any) -> Generator[int]:
    """Compute plain LoRA layers as one operation within it; yields how many there are."""
    layers = _plain_layers(model)
    for layer in layers:
        layer.forward = _Fast(layer, layer.active_adapters[0])
    try:
        yield len(layers)
    finally:
        for layer in layers:
            del layer.forward
