"""Attention for a batch whose rows lie one behind the other in a single row, without padding.

Each row attends to itself alone. Rows of like length are multiplied together, in blocks that stay
in a core's cache, with a backward pass of our own: on a CPU, PyTorch's flash attention takes about
ten times as long backwards as forwards in bf16 on rows of 70 tokens.

Within `with isolated_rows(lengths):` a model that was told `use_isolated_attention(model)` reads
its one row as so many rows; outside of it, it attends exactly as with `sdpa`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import transformers
import transformers.masking_utils as _masking
from transformers.integrations import sdpa_attention as _sdpa

NAME = "sluice_isolated"
PADDING_ALLOWED = 1.15  # rows share a block while it is at most this much larger than they are
KEPT_LENGTH = 128  # up to here probabilities are kept for the backward pass, above computed again
LONGEST = 256  # above, flash attention is faster, and holds no square of that size

_Function: Any = torch.autograd.Function  # typed in part only
_interfaces: Any = transformers
_masks: Any = _masking
_plain: Any = _sdpa
_aten: Any = torch.ops.aten


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that are multiplied together: `count` of them, each padded to `length` tokens.

    `taken` are the positions (count × length) that are read; beyond a row's end they are those of
    its neighbour, which causality hides from the row. `within` are the places in the block
    that belong to a row, in order; `start` and `stop` where the rows lie.
    """

    count: int
    length: int
    start: int
    stop: int
    taken: torch.Tensor
    within: torch.Tensor


_blocks: ContextVar[tuple[Block, ...] | None] = ContextVar("isolated_rows", default=None)


@contextlib.contextmanager
def isolated_rows(lengths: Sequence[int]) -> Generator[None]:
    """Within it, one row of sum(lengths) tokens is read as len(lengths) rows."""
    token = _blocks.set(blocks_of(lengths))
    try:
        yield
    finally:
        _blocks.reset(token)


def blocks_of(lengths: Sequence[int]) -> tuple[Block, ...]:
    """Neighbouring rows of like length, together."""
    blocks: list[Block] = []
    group: list[int] = []
    start = 0
    for length in [*lengths, 0]:
        longest = max([*group, length])
        padded = longest * (len(group) + 1)
        if group and (not length or padded > PADDING_ALLOWED * (sum(group) + length)):
            blocks.append(_block(group, start))
            start += sum(group)
            group = []
        group.append(length)
    return tuple(blocks)


def _block(lengths: list[int], start: int) -> Block:
    longest, stop = max(lengths), start + sum(lengths)
    places = torch.arange(longest)
    sizes = torch.tensor(lengths)
    starts = start + sizes.cumsum(0) - sizes
    taken = (starts[:, None] + places).clamp_(max=stop - 1).reshape(-1)
    within = (places < sizes[:, None]).reshape(-1).nonzero()[:, 0]
    return Block(len(lengths), longest, start, stop, taken, within)


class _BlockAttention(_Function):
    """softmax(q kᵀ × scale + mask) v for one block, and its gradients.

    q is (count, length, key heads × repeats, width); k and v have key heads only.
    """

    @staticmethod
    def forward(ctx: Any, q: Any, k: Any, v: Any, mask: Any, scale: float) -> torch.Tensor:
        queries, keys, values = _by_head(q, k.shape[2]), _by_head(k), _by_head(v)
        weights = _weights(queries, keys, mask, scale)
        ctx.save_for_backward(
            queries, keys, values, mask, *([weights] if k.shape[1] <= KEPT_LENGTH else [])
        )
        ctx.scale, ctx.heads = scale, (q.shape[2], k.shape[2])
        return _by_place(torch.bmm(weights, values), q.shape[0], q.shape[1])

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        q, k, v, mask, *kept = ctx.saved_tensors
        weights = kept[0] if kept else _weights(q, k, mask, ctx.scale)
        length = k.shape[1]
        count = k.shape[0] // ctx.heads[1]
        slope = _by_head(slopes[0], ctx.heads[1])
        of_v = torch.bmm(weights.transpose(1, 2), slope)
        of_weights = torch.bmm(slope, v.transpose(1, 2))
        of_scores = _aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
        of_scores.mul_(ctx.scale)
        of_q, of_k = torch.bmm(of_scores, k), torch.bmm(of_scores.transpose(1, 2), q)
        return (*(_by_place(x, count, length) for x in (of_q, of_k, of_v)), None, None)


def _weights(q: Any, k: Any, mask: Any, scale: float) -> torch.Tensor:
    scores = torch.bmm(q, k.transpose(1, 2)).mul_(scale)
    length = k.shape[1]
    scores.view(-1, length, length).add_(mask)
    return torch.softmax(scores, -1)


def _by_head(x: Any, groups: int | None = None) -> torch.Tensor:
    """(count, length, heads, width) as (count × groups, heads of a group × length, width)."""
    count, length, heads, width = x.shape
    groups = groups or heads
    return x.transpose(1, 2).reshape(count * groups, heads // groups * length, width)


def _by_place(x: Any, count: int, length: int) -> torch.Tensor:
    """Back from `_by_head`: (count, length, heads, width)."""
    return x.view(count, -1, length, x.shape[-1]).transpose(1, 2)


def _mask(length: int, window: int | None, like: Any) -> torch.Tensor:
    """0 where a place may look, -inf elsewhere; `window` places back at most, itself included."""
    far = torch.full((length, length), -torch.inf, dtype=like.dtype, device=like.device)
    mask = far.triu(1)
    return mask if window is None or window >= length else mask + far.tril(-window)


def isolated_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **settings: Any
) -> tuple[torch.Tensor, None]:
    """An attention function as transformers' `AttentionInterface` takes them.

    query is (rows, heads, positions, width); the result (rows, positions, heads, width).
    """
    blocks = _blocks.get()
    if blocks is None:
        return _plain.sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    scale = settings.get("scaling") or query.shape[-1] ** -0.5
    window = settings.get("sliding_window")
    q, k, v = (x.transpose(1, 2)[0] for x in (query, key, value))
    out = torch.cat([_of_block(block, q, k, v, scale, window) for block in blocks])
    return out[None], None


def _of_block(block: Block, q: Any, k: Any, v: Any, scale: float, window: int | None) -> Any:
    shape = (block.count, block.length)
    padded = len(block.within) < block.count * block.length
    parts = [
        (x.index_select(0, block.taken) if padded else x[block.start : block.stop]).view(
            *shape, *x.shape[1:]
        )
        for x in (q, k, v)
    ]
    if block.length > LONGEST:
        return _long(parts, scale, window).flatten(0, 1).index_select(0, block.within)
    out = _BlockAttention.apply(*parts, _mask(block.length, window, q), scale).flatten(0, 1)
    return out.index_select(0, block.within) if padded else out


def _long(parts: list[Any], scale: float, window: int | None) -> torch.Tensor:
    q, k, v = (x.transpose(1, 2) for x in parts)
    length = q.shape[2]
    near = None if window is None or window >= length else _mask(length, window, q)
    attention: Any = torch.nn.functional.scaled_dot_product_attention
    out = attention(q, k, v, near, is_causal=near is None, scale=scale, enable_gqa=True)
    return out.transpose(1, 2)


def _isolated_mask(*args: Any, **settings: Any) -> Any:
    return None if _blocks.get() is not None else _masks.sdpa_mask(*args, **settings)


def use_isolated_attention(model: Any) -> None:
    """Let the model attend through `isolated_attention` from now on."""
    _interfaces.AttentionInterface.register(NAME, isolated_attention)
    _interfaces.AttentionMaskInterface.register(NAME, _isolated_mask)
    model.set_attn_implementation(NAME)


def positions_of(lengths: Sequence[int]) -> torch.Tensor:
    """Position ids that begin anew in each row, (1, sum of lengths)."""
    return torch.cat([torch.arange(length) for length in lengths])[None]


def applies(model: Any) -> str | None:
    """Why rows cannot be laid one behind the other for this model, or None where they can.

    Beyond what its configuration says, the model itself is asked: whether other tokens in the
    first row change anything of the second one (linear attention, convolutions, state spaces).
    """
    config = model.config.get_text_config()
    if not getattr(model, "_supports_attention_backend", True):
        return "its class has an attention of its own"
    for setting in ("attn_logit_softcapping", "attention_dropout", "attention_chunk_size"):
        if getattr(config, setting, None):
            return f"its attention has {setting}"
    if model.config._attn_implementation not in ("sdpa", NAME):
        return f"its attention is {model.config._attn_implementation}"
    if getattr(model, "peft_config", None) and any(
        method.is_prompt_learning for method in model.peft_config.values()
    ):
        return "virtual tokens stand before each row"
    return _leaks(model)


def _leaks(model: Any) -> str | None:
    before, was_training = model.config._attn_implementation, model.training
    model.eval()
    use_isolated_attention(model)
    try:
        first = _second_row(model, [1, 2, 3, 4])
        other = _second_row(model, [9, 8, 7, 6])
        alone = _alone(model)
    except (TypeError, ValueError, RuntimeError) as error:
        return f"it does not run on flattened rows ({type(error).__name__})"
    finally:
        model.set_attn_implementation(before)
        model.train(was_training)
    if not torch.equal(first, other):
        return "one row changes what is computed for the next (no pure attention)"
    allowed = 1e-4 if first.dtype == torch.float32 else 0.05
    spread = float((first - alone).abs().max() / alone.abs().max().clamp(min=1e-6))
    return None if spread <= allowed else f"a row computes otherwise when alone ({spread:.2g})"


@torch.no_grad()
def _alone(model: Any) -> torch.Tensor:
    ids = torch.tensor([[5, 6, 7]], device=model.device)
    return model(input_ids=ids, use_cache=False).logits[0]


@torch.no_grad()
def _second_row(model: Any, first: list[int]) -> torch.Tensor:
    ids = torch.tensor([[*first, 5, 6, 7]], device=model.device)
    with isolated_rows([len(first), 3]):
        return model(
            input_ids=ids, position_ids=positions_of([len(first), 3]), use_cache=False
        ).logits[0, len(first) :]
