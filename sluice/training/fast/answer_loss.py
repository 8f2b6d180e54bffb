"""The training loss over answer tokens alone, with its gradient, and without all the logits.

TRL's own fused loss leaves out the prompt's positions on GPUs only; on a CPU it multiplies every
position, padding too, with the whole vocabulary, forwards and once more backwards. Here the
logits of the answer positions exist a few rows at a time, and their gradient is taken while they
are there: softmax(z) − onehot(label), as in Cut Your Losses (arXiv 2411.09009) and Liger.
"""

from __future__ import annotations

from typing import Any

import torch

from sluice.training.fast.inner import inner_model
from sluice.training.rows import NOT_LEARNED

# Rows of one matrix product with the head: many for speed, few so that little is padded. Always the
# same two: for each size oneDNN keeps a copy of the head in an order of its own.
PRODUCT_ROWS = (256, 64)
SOFTMAX_VALUES = 1 << 20  # logits in float32 at a time: 4 MB stay in a core's cache

_Function: Any = torch.autograd.Function  # typed in part only


class _SummedLoss(_Function):
    """The sum of −log p(label); the gradients are ready when the forward pass ends."""

    @staticmethod
    def forward(
        ctx: Any, hidden: Any, weight: Any, bias: Any, labels: Any, factor: float
    ) -> torch.Tensor:
        wanted = ctx.needs_input_grad[:3]
        total = hidden.new_zeros((), dtype=torch.float32)
        gradients = [
            torch.zeros_like(tensor, dtype=kind) if want else None
            for tensor, want, kind in zip(
                (hidden, weight, bias),
                wanted,
                (hidden.dtype, torch.float32, torch.float32),
                strict=True,
            )
        ]
        for part in _parts(len(labels)):
            logits = torch.nn.functional.linear(hidden[part], weight, bias)
            total += _loss_and_slope(logits, labels[part], factor, slope=any(wanted))
            _add_gradients(gradients, logits, hidden[part], weight, part)
        ctx.gradients = gradients
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        found = [g if g is None else g.mul_(slopes[0].to(g.dtype)) for g in ctx.gradients]
        ctx.gradients = None
        return (*found, None, None)


def _parts(rows: int) -> list[slice]:
    large, small = PRODUCT_ROWS
    parts = [slice(start, start + large) for start in range(0, rows - large + 1, large)]
    done = len(parts) * large
    return parts + [slice(start, start + small) for start in range(done, rows, small)]


def _filled(rows: int) -> int:
    """As many rows as the parts hold together, the last one whole."""
    parts = _parts(rows)
    return parts[-1].stop if parts else 0


def _add_gradients(gradients: Any, slopes: Any, hidden: Any, weight: Any, part: slice) -> None:
    of_hidden, of_weight, of_bias = gradients
    if of_hidden is not None:
        torch.mm(slopes, weight, out=of_hidden[part])
    if of_weight is not None:
        of_weight += slopes.t() @ hidden
    if of_bias is not None:
        of_bias += slopes.sum(0)


def _loss_and_slope(logits: Any, labels: Any, factor: float, *, slope: bool) -> torch.Tensor:
    """factor × the summed loss of some rows; `logits` becomes its gradient if that is wanted."""
    rows = max(1, SOFTMAX_VALUES // logits.shape[1])
    total = torch.zeros((), dtype=torch.float32)
    for part, label in zip(logits.split(rows), labels.split(rows), strict=True):
        logs = torch.log_softmax(part, 1, dtype=torch.float32)
        counted = (label != NOT_LEARNED)[:, None].to(torch.float32)  # 0 for filler
        chosen = label.clamp(min=0)[:, None]
        total -= (logs.gather(1, chosen) * counted).sum()
        if slope:
            chances = logs.exp_().mul_(counted * factor)
            part.copy_(chances.scatter_add_(1, chosen, counted * -factor))
    return total * factor


def answer_loss(
    hidden: torch.Tensor, head: Any, labels: torch.Tensor, tokens: torch.Tensor | float
) -> torch.Tensor:
    """Cross-entropy of the next token at answer positions, summed and divided by `tokens`.

    Equal to `cross_entropy(head(hidden)[:, :-1], labels[:, 1:])` with -100 left out, in float32.

    Args:
        hidden: the last layer's output, (rows, positions, width).
        head: the output layer (`get_output_embeddings()`): `weight` (vocabulary, width), `bias`.
        labels: token ids, (rows, positions); -100 where nothing is learned.
        tokens: what the sum is divided by: the answer tokens of the whole optimizer step.
    """
    flat = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=NOT_LEARNED).reshape(-1)
    kept = (flat != NOT_LEARNED).nonzero()[:, 0]
    chosen = hidden.reshape(-1, hidden.shape[-1]).index_select(0, kept)
    filler = _filled(len(kept)) - len(kept)
    chosen = torch.nn.functional.pad(chosen, (0, 0, 0, filler))
    wanted = torch.nn.functional.pad(flat[kept], (0, filler), value=NOT_LEARNED)
    factor = 1.0 / max(float(tokens), 1.0)
    return _SummedLoss.apply(chosen, head.weight, head.bias, wanted, factor)


def last_hidden(model: Any, **inputs: Any) -> torch.Tensor:
    """The last layer's output of a causal language model, with a PEFT adapter or without."""
    return inner_model(model).base_model(**inputs, use_cache=False).last_hidden_state


def applies(model: Any) -> str | None:
    """Why the loss cannot be taken this way, or None where it can.

    Some families scale or cap their logits, or have adapters on the head: whether the logits are
    simply head(hidden) is asked of the model itself, on three tokens.
    """
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear:
        return "the output layer is not a plain linear one"
    if getattr(model, "peft_config", None) and _has_virtual_tokens(model):
        return "virtual tokens shift the positions"
    ids = torch.tensor([[1, 2, 3]], device=head.weight.device)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            difference = model(input_ids=ids).logits - head(last_hidden(model, input_ids=ids))
    finally:
        model.train(was_training)
    if not bool((difference == 0).all()):
        return "the model's logits are more than head times hidden state (scaled or capped)"
    return None


def _has_virtual_tokens(model: Any) -> bool:
    return any(config.is_prompt_learning for config in model.peft_config.values())
