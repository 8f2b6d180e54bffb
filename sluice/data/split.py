"""Split: which rows train, which only measure, and which may not train because they would copy.

Membership follows from a hash of the question alone, so a row never moves between training and
evaluation when more months arrive; a row may only be removed, when a later evaluation row is
nearly the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sluice.data.record import Record
from sluice.data.similarity import NearIndex, folded, tokens_of
from sluice.recipe import DataSection

# Shorter answers are phrases that everyone uses ("You're welcome!", "不客气"): that they are equal
# says nothing about copying. Their rows are still compared by question.
MIN_ANSWER_TOKENS = 6

NEAR_QUESTION = "near_evaluation_question"
NEAR_ANSWER = "near_evaluation_answer"


@dataclass(frozen=True, slots=True)
class Removed:
    """A row taken out of training, the evaluation row it resembles, and how much (0 to 1)."""

    record: Record
    reason: str
    evaluation_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Split:
    """Every incoming row is in one of the four; `evaluation` starts with the held-out rows."""

    train: tuple[Record, ...]
    validation: tuple[Record, ...]
    evaluation: tuple[Record, ...]
    removed: tuple[Removed, ...]


def split_records(
    records: Sequence[Record], evaluation_rows: Sequence[Record], section: DataSection
) -> Split:
    """Split incoming rows, given the rows of the held-out file, which are all kept for evaluation.

    Incoming rows are ordered by source, then line, whatever order they come in.
    """
    ordered = sorted(records, key=lambda r: (r.source, r.line, r.id))
    fresh, copies_of_file = _apart_from(ordered, evaluation_rows, section.near_duplicate)
    chosen = [r for r in fresh if _share("evaluation", r) < section.evaluation_share]
    rest = [r for r in fresh if _share("evaluation", r) >= section.evaluation_share]
    rest, copies_of_chosen = _apart_from(rest, chosen, section.near_duplicate)
    return Split(
        train=tuple(r for r in rest if _share("validation", r) >= section.validation_share),
        validation=tuple(r for r in rest if _share("validation", r) < section.validation_share),
        evaluation=(*evaluation_rows, *chosen),
        removed=tuple(
            sorted(
                [*copies_of_file, *copies_of_chosen],
                key=lambda gone: (gone.record.source, gone.record.line, gone.record.id),
            )
        ),
    )


def _share(purpose: str, record: Record) -> float:
    """A number in [0, 1) that depends on the purpose and the question's text, and on nothing else.

    Equal questions get equal numbers, so two answers to one question land on the same side.
    """
    digest = hashlib.sha256(f"{purpose}\n{folded(record.question)}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _apart_from(
    records: Sequence[Record], evaluation: Sequence[Record], threshold: float
) -> tuple[list[Record], list[Removed]]:
    """The rows that copy no evaluation row, and those that do."""
    questions = _Texts(evaluation, [r.question for r in evaluation], threshold)
    answers = _Texts(evaluation, [r.answer for r in evaluation], threshold)
    kept: list[Record] = []
    removed: list[Removed] = []
    for record in records:
        if twin := questions.twin_of(record.question):
            removed.append(Removed(record, NEAR_QUESTION, *twin))
        elif _is_specific(record.answer) and (twin := answers.twin_of(record.answer)):
            removed.append(Removed(record, NEAR_ANSWER, *twin))
        else:
            kept.append(record)
    return kept, removed


def _is_specific(answer: str) -> bool:
    return len(tokens_of(answer)) >= MIN_ANSWER_TOKENS


class _Texts:
    """One text of each evaluation row, to be compared exactly and by similarity."""

    def __init__(self, rows: Sequence[Record], texts: list[str], threshold: float) -> None:
        self._rows = rows
        # Texts without any token ("???") have no shingles: equality is all there is to compare.
        self._equal = {folded(text): i for i, text in reversed(list(enumerate(texts)))}
        self._near = NearIndex(texts, threshold)

    def twin_of(self, text: str) -> tuple[str, float] | None:
        """Id of the most similar evaluation row and the similarity; None if none is near."""
        equal = self._equal.get(folded(text))
        found = self._near.nearest(text) if equal is None else (equal, 1.0)
        return None if found is None else (self._rows[found[0]].id, round(found[1], 4))
