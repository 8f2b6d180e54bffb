"""Rows as the trainer takes them: token ids, and labels on the answer's tokens only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import datasets  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.record import Record
from sluice.errors import TrainingError
from sluice.training.chat import ChatRow, chat_row

Dataset: Any = datasets.Dataset  # typed in part only
NOT_LEARNED = -100  # what PyTorch's cross-entropy leaves out


@dataclass(frozen=True, slots=True)
class RowCounts:
    """What became of the rows. `tokens`: prompts and answers; `answer_tokens`: what is learned.

    `cut` rows lost the end of their answer to the longest length, `without_answer` of them all of
    it. These, and the `blank` rows whose answer holds no text, are left out: there is nothing to
    learn from the former, and from the latter only to say nothing.
    """

    rows: int
    tokens: int
    answer_tokens: int
    cut: int
    without_answer: int
    blank: int

    def to_json(self) -> dict[str, int]:
        """The counts as a JSON-ready dictionary."""
        return asdict(self)


def tokenised(
    rows: Sequence[Record], tokenizer: Any, system_prompt: str | None, max_length: int | None
) -> tuple[Any, RowCounts]:
    """Rows as a `datasets.Dataset` of `input_ids` and `labels`, and what became of them.

    A row longer than `max_length` tokens loses its end; None keeps all whole.

    Raises:
        TemplateError: the chat template cannot be used.
        TrainingError: no row has an answer left within `max_length` tokens.
    """
    spoken = [row for row in rows if _says_something(row)]
    cut = without = 0
    found: list[dict[str, list[int]]] = []
    for row in spoken:
        ids = chat_row(tokenizer, row, system_prompt)
        kept = _cut(ids, max_length)
        cut += len(kept) < len(ids.answer_ids)
        if kept:
            found.append(_labelled(ids.prompt_ids, kept))
        else:
            without += 1
    counts = RowCounts(
        rows=len(found),
        tokens=sum(len(row["input_ids"]) for row in found),
        answer_tokens=sum(label != NOT_LEARNED for row in found for label in row["labels"]),
        cut=cut,
        without_answer=without,
        blank=len(rows) - len(spoken),
    )
    if rows and not found:
        raise _nothing_left(counts, max_length)
    return Dataset.from_list(found), counts


def longest_row(config: Any, max_length: int | None, before: int = 0) -> int | None:
    """The longest row in tokens: what the recipe says, and never more than the context holds.

    None if neither the recipe nor the model's configuration says anything. `before`: how many
    positions of the context the method takes for itself.
    """
    context: int | None = getattr(config.get_text_config(), "max_position_embeddings", None)
    room = context - before if context else None
    return min((length for length in (max_length, room) if length), default=None)


def _says_something(row: Record) -> bool:
    last = row.messages[-1] if row.messages else None
    if last is None or last.role != "assistant":
        return False
    return bool(last.content.strip() or last.more)  # a call of a tool is an answer without text


def _cut(row: ChatRow, max_length: int | None) -> list[int]:
    if max_length is None:
        return row.answer_ids
    return row.answer_ids[: max(0, max_length - len(row.prompt_ids))]


def _labelled(prompt: list[int], answer: list[int]) -> dict[str, list[int]]:
    return {"input_ids": [*prompt, *answer], "labels": [NOT_LEARNED] * len(prompt) + answer}


def _nothing_left(counts: RowCounts, max_length: int | None) -> TrainingError:
    total = counts.without_answer + counts.blank
    if not counts.without_answer:
        return TrainingError(f"All {total} rows have blank answers: there is nothing to learn.")
    return TrainingError(
        f"In {counts.without_answer} of {total} rows the prompt alone fills the longest row "
        f"({max_length} tokens), and {counts.blank} have blank answers, so that no token of an "
        "answer is left to learn. Raise `training.max_length`, or shorten `model.system_prompt` "
        "and the prompts."
    )
