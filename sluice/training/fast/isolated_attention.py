"""Attention for a batch whose rows lie one behind the other in a single row, without padding.

Each row attends to itself alone. Rows of like length are multiplied together, in blocks that stay
in a core's cache, with a backward pass of our own: on a CPU, PyTorch's flash attention takes about
ten times as long backwards as forwards in bf16 on rows of 70 tokens.

Within `with isolated_rows(lengths):` a model that was told `use_isolated_attention(model)` reads
its one row as so many rows; outside of it, it attends exactly as with `sdpa`. What all rows begin
with, usually the system prompt, may stand once in front of them: under a causal mask it computes
the same in each row, so it is computed once and attended by all.
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
    that belong to a row, in order; `start` and `stop` where the rows lie. The first `shared`
    positions of all stand before each row.
    """

    count: int
    length: int
    shared: int
    start: int
    stop: int
    taken: torch.Tensor
    within: torch.Tensor


_blocks: ContextVar[tuple[Block, ...] | None] = ContextVar("isolated_rows", default=None)


@contextlib.contextmanager
def isolated_rows(lengths: Sequence[int], shared: int = 0) -> Generator[None]:
    """Within it, one row of shared + sum(lengths) tokens is read as len(lengths) rows.

    Each of them is the first `shared` tokens and then its own.
    """
    first = blocks_of([shared]) if shared else ()
    token = _blocks.set((*first, *blocks_of(lengths, shared)))
    try:
        yield
    finally:
        _blocks.reset(token)


def blocks_of(lengths: Sequence[int], shared: int = 0) -> tuple[Block, ...]:
    """Neighbouring rows of like length, together."""
    blocks: list[Block] = []
    group: list[int] = []
    start = shared
    for length in [*lengths, 0]:
        longest = max([*group, length])
        padded = longest * (len(group) + 1)
        if group and (not length or padded > PADDING_ALLOWED * (sum(group) + length)):
            blocks.append(_block(group, start, shared))
            start += sum(group)
            group = []
        group.append(length)
    return tuple(blocks)


def _block(lengths: list[int], start: int, shared: int) -> Block:
    longest, stop = max(lengths), start + sum(lengths)
    places = torch.arange(longest)
    sizes = torch.tensor(lengths)
    starts = start + sizes.cumsum(0) - sizes
    taken = (starts[:, None] + places).clamp_(max=stop - 1).reshape(-1)
    within = (places < sizes[:, None]).reshape(-1).nonzero()[:, 0]
    return Block(len(lengths), longest, shared, start, stop, taken, within)


class _BlockAttention(_Function):
    """softmax(q kᵀ × scale + mask) v for one block, and its gradients.

    q is (count, length, key heads × repeats, width); k and v have key heads only, and may be longer
    at their front.
    """

    @staticmethod
    def forward(ctx: Any, q: Any, k: Any, v: Any, mask: Any, scale: float) -> torch.Tensor:
        queries, keys, values = _by_head(q, k.shape[2]), _by_head(k), _by_head(v)
        weights = _weights(queries, keys, mask, scale)
        ctx.save_for_backward(
            queries, keys, values, mask, *([weights] if k.shape[1] <= KEPT_LENGTH else [])
        )
        ctx.scale, ctx.heads, ctx.length = scale, (q.shape[2], k.shape[2]), q.shape[1]
        return _by_place(torch.bmm(weights, values), q.shape[0], q.shape[1])

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        q, k, v, mask, *kept = ctx.saved_tensors
        weights = kept[0] if kept else _weights(q, k, mask, ctx.scale)
        count, length = k.shape[0] // ctx.heads[1], ctx.length
        slope = _by_head(slopes[0], ctx.heads[1])
        of_v = torch.bmm(weights.transpose(1, 2), slope)
        of_weights = torch.bmm(slope, v.transpose(1, 2))
        of_scores = _aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
        of_scores.mul_(ctx.scale)
        of_q, of_k = torch.bmm(of_scores, k), torch.bmm(of_scores.transpose(1, 2), q)
        of_keys = (_by_place(x, count, k.shape[1]) for x in (of_k, of_v))
        return (_by_place(of_q, count, length), *of_keys, None, None)


def _weights(q: Any, k: Any, mask: Any, scale: float) -> torch.Tensor:
    scores = torch.bmm(q, k.transpose(1, 2)).mul_(scale)
    scores.view(-1, *mask.shape).add_(mask)
    return torch.softmax(scores, -1)


def _by_head(x: Any, groups: int | None = None) -> torch.Tensor:
    """(count, length, heads, width) as (count × groups, heads of a group × length, width)."""
    count, length, heads, width = x.shape
    groups = groups or heads
    return x.transpose(1, 2).reshape(count * groups, heads // groups * length, width)


def _by_place(x: Any, count: int, length: int) -> torch.Tensor:
    """Back from `_by_head`: (count, length, heads, width)."""
    return x.view(count, -1, length, x.shape[-1]).transpose(1, 2)


def _mask(length: int, shared: int, window: int | None, like: Any) -> torch.Tensor:
    """0 where a place may look, -inf elsewhere: (length, shared + length).

    It looks `window` places back at most, itself included.
    """
    whole = shared + length
    far = torch.full((length, whole), -torch.inf, dtype=like.dtype, device=like.device)
    mask = far.triu(shared + 1)
    return mask if window is None or window >= whole else mask + far.tril(shared - window)


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
    if block.shared:
        parts[1:] = [
            _behind(x[: block.shared], part) for x, part in zip((k, v), parts[1:], strict=True)
        ]
    if block.length > LONGEST:
        return _long(parts, scale, window).flatten(0, 1).index_select(0, block.within)
    mask = _mask(block.length, block.shared, window, q)
    out = _BlockAttention.apply(*parts, mask, scale).flatten(0, 1)
    return out.index_select(0, block.within) if padded else out


def _behind(shared: Any, rows: Any) -> torch.Tensor:
    return torch.cat([shared[None].expand(rows.shape[0], *shared.shape), rows], 1)


def _long(parts: list[Any], scale: float, window: int | None) -> torch.Tensor:
    q, k, v = (x.transpose(1, 2) for x in parts)
    length, shared = q.shape[2], k.shape[2] - q.shape[2]
    free = not shared and (window is None or window >= length)
    near = None if free else _mask(length, shared, window, q)
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


def positions_of(lengths: Sequence[int], shared: int = 0) -> torch.Tensor:
    """Position ids that begin anew in each row, (1, shared + sum of lengths)."""
    rows = [torch.arange(shared, shared + length) for length in lengths]
    return torch.cat([torch.arange(shared), *rows])[None]


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
        first = _logits(model, [1, 2, 3, 4, 5, 6, 7], [4, 3])[4:]
        other = _logits(model, [9, 8, 7, 6, 5, 6, 7], [4, 3])[4:]
        alone = _logits(model, [5, 6, 7], [3])
        whole = _logits(model, [1, 2, 3, 4, 5, 6, 7], [7])
        begun = _logits(model, [1, 2, 3, 4, 9, 8, 5, 6, 7], [2, 3], shared=4)
    except (TypeError, ValueError, RuntimeError) as error:
        return f"it does not run on flattened rows ({type(error).__name__})"
    finally:
        model.set_attn_implementation(before)
        model.train(was_training)
    if not torch.equal(first, other):
        return "one row changes what is computed for the next (no pure attention)"
    spread = max(_apart(first, alone), _apart(begun[6:], whole[4:]))
    allowed = 1e-4 if first.dtype == torch.float32 else 0.05
    return None if spread <= allowed else f"a row computes otherwise when alone ({spread:.2g})"


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max() / other.abs().max().clamp(min=1e-6))


@torch.no_grad()
def _logits(model: Any, ids: list[int], lengths: list[int], shared: int = 0) -> torch.Tensor:
    positions = positions_of(lengths, shared).to(model.device)
    tokens = torch.tensor([ids], device=model.device)
    with isolated_rows(lengths, shared):
        return model(input_ids=tokens, position_ids=positions, use_cache=False).logits[0]
