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

from sluice.training.fast.inner import inner_model

_Function: Any = torch.autograd.Function  # typed in part only
_Linear: Any = lora.Linear
_torch: Any = torch


class _Adapted(_Function):
    """W x + b + B (s A x) for each of some layers that read the same x, as a tuple.

    `frozen` has (W, b, s) for each; `down` is all s A, `ups` each B, both in the precision of x;
    `learned` is what gets the gradients: all A, then all B.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Any, frozen: Any, down: Any, ups: Any, *learned: Any
    ) -> tuple[torch.Tensor, ...]:
        flat = x.reshape(-1, x.shape[-1])
        ranks = [up.shape[1] for up in ups]
        inner: Any = flat @ down.t()
        outs = [
            torch.nn.functional.linear(flat, weight, bias).addmm_(part, up.t())
            for (weight, bias, _), part, up in zip(
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
        of_inner = torch.cat([slope @ up for slope, up in zip(flat, ups, strict=True)], 1)
        of_a = (of_inner.t() @ x).to(ctx.kind).split(ctx.ranks)
        for part, (_, _, scale) in zip(of_a, ctx.frozen, strict=True):
            part.mul_(scale)
        parts = torch.split(inner, ctx.ranks, 1)
        of_b = [(slope.t() @ part).to(ctx.kind) for slope, part in zip(flat, parts, strict=True)]
        return (_of_x(ctx, flat, of_inner, down), None, None, None, *of_a, *of_b)


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
        self._layers = layers
        self._frozen = tuple(
            (layer.base_layer.weight, layer.base_layer.bias, layer.scaling[adapter])
            for layer in layers
        )
        self.downs = [layer.lora_A[adapter].weight for layer in layers]
        self.ups = [layer.lora_B[adapter].weight for layer in layers]
        kind = self._frozen[0][0].dtype
        self._down: Any = torch.cat([a.detach() for a in self.downs]).to(kind)
        self._ups = tuple(b.detach().to(kind, copy=True) for b in self.ups)
        self._input: Any = None
        self._outputs: dict[int, Any] = {}

    @property
    def scales(self) -> list[float]:
        """s of each layer."""
        return [scale for _, _, scale in self._frozen]

    @property
    def copies(self) -> tuple[list[Any], list[Any]]:
        """Where s A and B of each layer are kept in the precision of the products."""
        return list(self._down.split([a.shape[0] for a in self.downs])), list(self._ups)

    def __call__(self, layer: Any, x: Any) -> Any:
        if self._input is not x or id(layer) not in self._outputs:
            learned = (*self.downs, *self.ups)
            outputs = _Adapted.apply(x, self._frozen, self._down, self._ups, *learned)
            self._input = x
            self._outputs = {id(ly): out for ly, out in zip(self._layers, outputs, strict=True)}
        out = self._outputs.pop(id(layer))
        if not self._outputs:
            self._input = None
        return out


class _Copies:
    """The adapters in the precision of the products, made anew before each forward pass.

    Always: the fused AdamW does not raise a tensor's version, so nothing tells whether a copy
    still holds.
    """

    def __init__(self, groups: Sequence[_Together]) -> None:
        kept = [group.copies for group in groups]
        self._downs = [copy for downs, _ in kept for copy in downs]
        self._all = [*self._downs, *(copy for _, ups in kept for copy in ups)]
        self._learned = [a.detach() for group in groups for a in group.downs]
        self._learned += [b.detach() for group in groups for b in group.ups]
        self._scales = [scale for group in groups for scale in group.scales]

    def __call__(self, *_: Any) -> None:
        if not self._all:
            return
        _torch._foreach_copy_(self._all, self._learned)
        _torch._foreach_mul_(self._downs, self._scales)


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
    together = [_Together(group, group[0].active_adapters[0]) for group in groups]
    for group, computed in zip(groups, together, strict=True):
        for layer in group:
            layer.forward = _Fast(layer, computed)
    inner = inner_model(model)
    decoder = getattr(inner, "base_model", inner)
    hook = decoder.register_forward_pre_hook(_Copies(together))
    try:
        yield len(layers)
    finally:
        hook.remove()
        for layer in layers:
            del layer.forward
