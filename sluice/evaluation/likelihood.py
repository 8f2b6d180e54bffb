"""How likely a model finds reference answers: summed negative log-likelihood and token count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sluice.errors import EvaluationError
from sluice.evaluation.batches import by_length
from sluice.training.before_prompt import vectors_before
from sluice.training.chat import ChatRow

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """`nll`: sum over the answer's tokens, in nats. `tokens`: how many, with the end of turn."""

    nll: float
    tokens: int


@dataclass(frozen=True, slots=True)
class _Row:
    ids: list[int]
    start: int  # where the answer's tokens begin; those before are the prompt and not scored


def answer_likelihoods(
    model: Any,
    rows: Sequence[ChatRow],
    *,
    batch_size: int,
    progress: Progress = lambda done: None,
) -> list[Likelihood]:
    """The likelihood of each row's answer given its prompt, in the order of the rows.

    Raises:
        EvaluationError: an answer has no tokens.
    """
    cut = [_joined(row) for row in rows]
    found: dict[int, Likelihood] = {}
    for batch in by_length([len(row.ids) for row in cut], batch_size):
        scored = _score(model, [cut[i] for i in batch])
        found.update(zip(batch, scored, strict=True))
        progress(len(found))
    return [found[index] for index in range(len(rows))]


def _joined(row: ChatRow) -> _Row:
    if not row.answer_ids:
        raise EvaluationError("A reference answer has no tokens. Remove empty answers first.")
    return _Row([*row.prompt_ids, *row.answer_ids], len(row.prompt_ids))


@torch.inference_mode()
def _score(model: Any, rows: list[_Row]) -> list[Likelihood]:
    longest = max(len(row.ids) for row in rows)
    # Padding on the right: under a causal mask it changes nothing that comes before it.
    ids = torch.tensor([row.ids + [0] * (longest - len(row.ids)) for row in rows])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
    # The logits at a position are of the next token. Only those that some row's answer needs are
    # computed: with a large vocabulary they take more memory than all the rest.
    first = min(row.start for row in rows) - 1
    needed = torch.arange(first, longest - 1, device=model.device) + vectors_before(model)
    output: Any = model(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        logits_to_keep=needed,
        use_cache=False,
    )
    return [
        _row_likelihood(logits, row, first) for logits, row in zip(output.logits, rows, strict=True)
    ]


def _row_likelihood(logits: torch.Tensor, row: _Row, first: int) -> Likelihood:
    answer = torch.tensor(row.ids[row.start :], device=logits.device)
    begin = row.start - 1 - first
    mine = logits[begin : begin + len(answer)].float()
    picked = mine.log_softmax(-1).gather(1, answer[:, None])
    return Likelihood(float(-picked.double().sum()), len(answer))
