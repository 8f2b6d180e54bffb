"""Rows as the trainer takes them: token ids, and labels on the answer's tokens only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import datasets  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.record import Record
from sluice.errors import TrainingError
from sluice.training.chat import chat_row, token_ids

Dataset: Any = datasets.Dataset  # typed in part only
NOT_LEARNED = -100  # what PyTorch's cross-entropy leaves out


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What became of the rows. `tokens`: prompts and answers; `answer_tokens`: what is learned.

    `cut` rows lost the end of their answer to the longest length, `without_answer` all of it: the
    latter are left out, since there is nothing to learn from them.
    """

    rows: int
    tokens: int
    answer_tokens: int
    cut: int
    without_answer: int

    def to_json(self) -> dict[str, int]:
        """The counts as a JSON-ready dictionary."""
        return asdict(self)


def tokenised(
    rows: Sequence[Record], tokenizer: Any, system_prompt: str | None, max_length: int | None
) -> tuple[Any, RowCounts]:
    """Rows as a `datasets.Dataset` of `input_ids` and `labels`, and what became of them.

    Raises:
        TemplateError: the chat template cannot be used.
        TrainingError: no row has an answer left within `max_length` tokens.
    """
    cut = without = 0
    found: list[dict[str, list[int]]] = []
    for row in rows:
        text = chat_row(tokenizer, row, system_prompt)
        prompt, answer = token_ids(tokenizer, text.prompt), token_ids(tokenizer, text.answer)
        kept = answer if max_length is None else answer[: max(0, max_length - len(prompt))]
        cut += len(kept) < len(answer)
        if not kept:
            without += 1
            continue
        ids = [*prompt, *kept]
        found.append({"input_ids": ids, "labels": [NOT_LEARNED] * len(prompt) + kept})
    if rows and not found:
        raise TrainingError(
            f"In all {len(rows)} rows the prompt alone fills `training.max_length` ({max_length} "
            "tokens), so that no token of an answer is left to learn. Raise it, or shorten "
            "`model.system_prompt` and the prompts."
        )
    counts = RowCounts(
        rows=len(found),
        tokens=sum(len(row["input_ids"]) for row in found),
        answer_tokens=sum(label != NOT_LEARNED for row in found for label in row["labels"]),
        cut=cut,
        without_answer=without,
    )
    return Dataset.from_list(found), counts
