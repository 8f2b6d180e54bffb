"""Norms, gates and rotary positions of a frozen decoder, with gradients written by hand.

Autograd keeps each intermediate value of these formulas, many of them in float32: in a bf16 model
more memory than all the matrix products keep. Here a norm keeps its input and one number for each
position, a gate three of its width, and a rotation nothing of its own; the rest is computed again.

RMSNorm: arXiv 1910.07467; SwiGLU: arXiv 2002.05202; rotary positions: arXiv 2104.09864.
Which modules compute these formulas is not told by their names: each is asked, on a few numbers.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator
from typing import Any

import torch

_Function: Any = torch.autograd.Function  # typed in part only
_aten: Any = torch.ops.aten
_linalg: Any = torch.linalg
_functional: Any = torch.nn.functional
ROTATION = "apply_rotary_pos_emb"  # transformers' name in each family's module
NEARLY = 0.02  # of the largest value: two ways of rounding to bf16 differ by less


class _Normed(_Function):
    """weight × x / sqrt(mean(x²) + eps) over the last dimension; the weight is frozen."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, eps: float) -> torch.Tensor:
        length = _linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
        scale = length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).to(x.dtype).mul_(weight)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        x, weight, scale = ctx.saved_tensors
        slope = (slopes[0] * weight).to(torch.float32)
        unit = x * scale
        along = (slope * unit).mean(-1, keepdim=True)
        return slope.addcmul_(unit, along, value=-1).mul_(scale).to(x.dtype), None, None


class _Gated(_Function):
    """silu(gate) × up."""

    @staticmethod
    def forward(ctx: Any, gate: Any, up: Any) -> torch.Tensor:
        # The last is kept too: computed again it costs 2 % of a step, kept 1 % of the memory.
        opened = _functional.silu(gate)
        ctx.save_for_backward(gate, up, opened)
        return opened * up

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        gate, up, opened = ctx.saved_tensors
        return _aten.silu_backward(slopes[0] * up, gate), opened * slopes[0]


class _Rotated(_Function):
    """x turned by its position: pairs (i, i + width / 2) by one angle each."""

    @staticmethod
    def forward(ctx: Any, x: Any, cos: Any, sin: Any) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        cos, sin = ctx.saved_tensors
        return _turned(slopes[0], cos, sin, -1), None, None


def _turned(x: Any, cos: Any, sin: Any, way: int) -> torch.Tensor:
    half = x.shape[-1] // 2
    # The sine is the same for both halves of a pair.
    sine = sin[..., :half]
    out = x * cos
    out[..., :half].addcmul_(x[..., half:], sine, value=-way)
    out[..., half:].addcmul_(x[..., :half], sine, value=way)
    return out


def _rotate(q: Any, k: Any, cos: Any, sin: Any, unsqueeze_dim: int = 1) -> tuple[Any, Any]:
    cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
    return _Rotated.apply(q, cos, sin), _Rotated.apply(k, cos, sin)


def _rotation_of(place: Any) -> Callable[..., Any]:
    ordinary = getattr(place, ROTATION)

    def rotate(q: Any, k: Any, cos: Any, sin: Any, *args: Any, **kwargs: Any) -> Any:
        whole = q.shape[-1] == k.shape[-1] == cos.shape[-1]  # else a part of each head is turned
        return (_rotate if whole else ordinary)(q, k, cos, sin, *args, **kwargs)

    return rotate


@contextlib.contextmanager
def fast_parts(model: Any) -> Generator[dict[str, int]]:
    """Compute these parts by hand within it, while gradients are wanted; yields how many of each.

    Args:
        model: with all norms and other parts frozen, or those that are not are left as they are.
    """
    norms = [m for m in model.modules() if _is_norm(m)]
    gates = [m for m in model.modules() if _is_gate(m)]
    places = _rotations(model)
    with contextlib.ExitStack() as undo:
        for module in norms:
            undo.enter_context(_instead(module, "forward", _norm_of(module)))
        for module in gates:
            undo.enter_context(_instead(module, "forward", _gate_of(module)))
        for place in places:
            undo.enter_context(_instead(place, ROTATION, _rotation_of(place)))
        yield {"norms": len(norms), "gates": len(gates), "rotations": len(places)}


@contextlib.contextmanager
def _instead(place: Any, name: str, function: Any) -> Generator[None]:
    known: dict[str, Any] = place.__dict__
    before = known.get(name)
    setattr(place, name, function)
    try:
        yield
    finally:
        if before is None:
            delattr(place, name)
        else:
            setattr(place, name, before)


def _norm_of(module: Any) -> Callable[[Any], Any]:
    ordinary: Any = module.__class__.forward

    def forward(x: Any) -> Any:
        weight = module.weight
        if weight.requires_grad or not torch.is_grad_enabled() or x.dtype != weight.dtype:
            return ordinary(module, x)
        return _Normed.apply(x, weight, _eps(module))

    return forward


def _gate_of(module: Any) -> Callable[[Any], Any]:
    ordinary: Any = module.__class__.forward

    def forward(x: Any) -> Any:
        if not torch.is_grad_enabled():
            return ordinary(module, x)
        return module.down_proj(_Gated.apply(module.gate_proj(x), module.up_proj(x)))

    return forward


def _eps(module: Any) -> float | None:
    return getattr(module, "variance_epsilon", getattr(module, "eps", None))


def _is_norm(module: Any) -> bool:
    weight = getattr(module, "weight", None)
    if "Norm" not in type(module).__name__ or _eps(module) is None or weight is None:
        return False
    if weight.dim() != 1 or weight.requires_grad or getattr(module, "bias", None) is not None:
        return False
    x = torch.linspace(-2, 3, 4 * len(weight)).reshape(1, 4, -1).to(weight)
    with torch.no_grad():
        return _same(module(x), _Normed.apply(x, weight, _eps(module)))


def _is_gate(module: Any) -> bool:
    parts = ("gate_proj", "up_proj", "down_proj")
    if not all(hasattr(module, part) for part in parts):
        return False
    if not isinstance(getattr(module, "act_fn", None), torch.nn.Module | Callable):
        return False
    if not all(callable(getattr(module, part)) for part in parts):
        return False
    size = getattr(module.gate_proj, "in_features", None)
    weight = next(module.parameters(), None)
    if size is None or weight is None or not weight.is_floating_point():
        return False
    x = torch.linspace(-1, 1, 2 * size).reshape(1, 2, size).to(weight.device)
    x = x.to(getattr(getattr(module.gate_proj, "base_layer", module.gate_proj), "weight", x).dtype)
    with torch.no_grad():
        by_hand = module.down_proj(_Gated.apply(module.gate_proj(x), module.up_proj(x)))
        return _same(module(x), by_hand)


def _rotations(model: Any) -> list[Any]:
    """The modules of Python code whose rotation of queries and keys is the usual one."""
    names = {type(module).__module__ for module in model.modules()}
    places = [sys.modules[name] for name in sorted(names) if hasattr(sys.modules[name], ROTATION)]
    return [place for place in places if _rotates_as_usual(getattr(place, ROTATION))]


def _rotates_as_usual(rotation: Any) -> bool:
    q = torch.linspace(-1, 1, 2 * 3 * 8).reshape(1, 2, 3, 8)
    angle = torch.linspace(0, 2, 12).reshape(1, 3, 4).repeat(1, 1, 2)
    try:
        usual = rotation(q, q[:, :1], angle.cos(), angle.sin())
        ours = _rotate(q, q[:, :1], angle.cos(), angle.sin())
    except (TypeError, RuntimeError, ValueError):
        return False
    return all(_same(a, b) for a, b in zip(usual, ours, strict=True))


def _same(one: Any, other: Any) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    largest = float(one.abs().max())
    allowed = NEARLY if one.dtype == torch.bfloat16 else 1e-5
    return float((one - other).abs().max()) <= allowed * max(largest, 1e-6)
