"""Linear layers with LoRA adapters as one operation, in the precision of the base weights.

PEFT computes y = W x + s B (A x) with x, A x and B A x in float32 where the adapter is float32,
and keeps them all for the backward pass. Here the products run in the base's precision (bf16
where the processor multiplies in it), A and B stay float32 for the optimizer, and only x and
A x are kept. Layers that read the same x (queries, keys and values; gate and up) are computed
together: one product for all of their A, and one sum for the gradient of x. LoRA: arXiv 2106.09685.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import Any

import torch
from peft.tuners import lora

_Function: Any = torch.autograd.Function  # typed in part only
_Linear: Any = lora.Linear


class _Adapted(_Function):
    """W x + b + s B (A x) for each of some layers that read the same x.

    `frozen` has (W, b, s) for each; `learned` all A, then all B. What is returned is a tuple.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, frozen: Any, *learned: Any) -> tuple[torch.Tensor, ...]:
        count = len(frozen)
        flat = x.reshape(-1, x.shape[-1])
        # Converted anew each time: the fused AdamW does not raise a tensor's version, so nothing
        # tells whether a converted copy still holds.
        down = torch.cat([a.detach() for a in learned[:count]]).to(x.dtype)
        ups = [b.detach().to(x.dtype) for b in learned[count:]]
        ranks = [up.shape[1] for up in ups]
        inner: Any = flat @ down.t()
        outs = [
            torch.nn.functional.linear(flat, weight, bias).addmm_(part, up.t(), alpha=scale)
            for (weight, bias, scale), part, up in zip(
                frozen, torch.split(inner, ranks, 1), ups, strict=True
            )
        ]
        ctx.save_for_backward(flat, inner, down, *ups)
        ctx.frozen, ctx.ranks, ctx.shape, ctx.kind = frozen, ranks, x.shape, learned[0].dtype
        return tuple(out.view(*x.shape[:-1], -1) for out in outs)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        x, inner, down, *ups = ctx.saved_tensors
        flat = [slope.reshape(-1, slope.shape[-1]) for slope in slopes]
        of_inner = torch.empty_like(inner)
        parts = zip(flat, ups, ctx.frozen, of_inner.split(ctx.ranks, 1), strict=True)
        for slope, up, (_, _, scale), place in parts:
            place.copy_((slope @ up).mul_(scale))
        of_a = (of_inner.t() @ x).to(ctx.kind).split(ctx.ranks)
        of_b = [
            (slope.t() @ part).to(ctx.kind).mul_(scale)
            for slope, part, (_, _, scale) in zip(
                flat, inner.split(ctx.ranks, 1), ctx.frozen, strict=True
            )
        ]
        return (_of_x(ctx, flat, of_inner, down), None, *of_a, *of_b)


def _of_x(ctx: Any, slopes: Sequence[Any], of_inner: Any, down: Any) -> torch.Tensor | None:
    if not ctx.needs_input_grad[0]:
        return None
    total = of_inner @ down
    for slope, (weight, _, _) in zip(slopes, ctx.frozen, strict=True):
        total.addmm_(slope, weight)
    return total.view(ctx.shape)


class _Together:
    """Layers that may read the same input: the first one asked computes the outputs of all."""

    def __init__(self, layers: Sequence[Any], adapter: str) -> None:
        self._layers, self._adapter = layers, adapter
        self._input: Any = None
        self._outputs: dict[int, Any] = {}

    def __call__(self, layer: Any, x: Any) -> Any:
        if self._input is not x or id(layer) not in self._outputs:
            self._compute(x)
        out = self._outputs.pop(id(layer))
        if not self._outputs:
            self._input = None
        return out

    def _compute(self, x: Any) -> None:
        frozen = tuple(
            (layer.base_layer.weight, layer.base_layer.bias, layer.scaling[self._adapter])
            for layer in self._layers
        )
        learned = [layer.lora_A[self._adapter].weight for layer in self._layers]
        learned += [layer.lora_B[self._adapter].weight for layer in self._layers]
        outputs = _Adapted.apply(x, frozen, *learned)
        self._input = x
        self._outputs = {id(ly): out for ly, out in zip(self._layers, outputs, strict=True)}


class _Fast:
    """The forward method of one layer while it is trained; anywhere else it is PEFT's."""

    def __init__(self, layer: Any, together: _Together) -> None:
        self._layer, self._together = layer, together

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        layer = self._layer
        fits = torch.is_grad_enabled() and not args and not kwargs and _why_not(layer) is None
        if not fits or x.dtype != layer.base_layer.weight.dtype:
            return _Linear.forward(layer, x, *args, **kwargs)
        return self._together(layer, x)


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


# Names that transformers gives to layers that read the same input. If in some model they do not,
# each is computed by itself with the others' work in vain, never wrongly.
SAME_INPUT = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))


def _groups(model: Any) -> list[list[Any]]:
    """The plain LoRA layers, those that read the same input together."""
    groups: list[list[Any]] = []
    for parent in model.modules():
        plain = {
            name: child
            for name, child in parent.named_children()
            if type(child) is _Linear and _why_not(child) is None
        }
        for names in SAME_INPUT:
            if len(found := [plain[name] for name in names if name in plain]) > 1:
                groups.append(found)
                plain = {name: child for name, child in plain.items() if name not in names}
        groups += [[child] for child in plain.values()]
    return groups


def applies(model: Any) -> str | None:
    """Why no layer of the model can be computed this way, or None if at least one can."""
    layers = [m for m in model.modules() if isinstance(m, _Linear)]
    if not layers:
        return "no linear layer has a LoRA adapter"
    if any(type(layer) is _Linear and _why_not(layer) is None for layer in layers):
        return None
    return _why_not(layers[0]) or "it is a variant of LoRA"


@contextlib.contextmanager
def fast_adapters(model: Any) -> Generator[int]:
    """Compute plain LoRA layers as one operation within it; yields how many there are."""
    groups = _groups(model)
    layers = [layer for group in groups for layer in group]
    for group in groups:
        together = _Together(group, group[0].active_adapters[0])
        for layer in group:
            layer.forward = _Fast(layer, together)
    try:
        yield len(layers)
    finally:
        for layer in layers:
            del layer.forward
