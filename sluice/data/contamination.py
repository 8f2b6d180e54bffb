"""Contamination: rows that ask or answer what a row does that no model may be trained on.

A row copies an evaluation row if its question is the same text after folding, or nearly so, or if
its answer is. Which rows come near is found through hashed shingles: those of a whole part are
looked up at once in a table of all evaluation shingles, and only texts that share some are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import xxhash

from sluice.data.duplicates.rows import FoldedRows, fold_rows
from sluice.data.record import Record
from sluice.data.similarity.fold import FoldedTexts, fold_texts
from sluice.data.similarity.hashed import (
    HashedRows,
    Hashes,
    Places,
    hashed_shingles,
    hashed_tokens,
    is_new,
    shingle,
)
from sluice.data.similarity.utf8 import u64

nb: Any = numba  # not typed
pa: Any = pyarrow

# Shorter answers are phrases that everyone uses ("You're welcome!", "不客气"): that they are equal
# says nothing about copying. Their rows are still compared by question.
MIN_ANSWER_TOKENS = 6

NEAR_QUESTION = "near_evaluation_question"
NEAR_ANSWER = "near_evaluation_answer"
COPY_SCHEMA: Any = pa.schema(
    [
        ("row", pa.int64()),
        ("reason", pa.string()),
        ("evaluation_id", pa.string()),
        ("similarity", pa.float64()),
        ("detail", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class TextIndex:
    """One text of each evaluation row, to be found by equality and by shingles.

    Open hash table: slot `i` stands for shingle `slots[i]` of the texts
    `postings[places[i]:places[i] + lengths[i]]`; a length of 0 is a free slot. `seen` has a bit for
    the low bits of each shingle, small enough for a processor's cache. `sizes` counts the shingles
    of each text. `equal` finds texts by the digest of their folded bytes.
    """

    seen: npt.NDArray[np.uint8]
    slots: Hashes
    places: Places
    lengths: Places
    postings: Places
    sizes: Places
    equal: dict[bytes, int]


@dataclass(frozen=True, slots=True)
class EvaluationIndex:
    """Rows that must not be trained on, ready to be compared with many others. Can be pickled."""

    ids: tuple[str, ...]
    threshold: float
    questions: TextIndex
    answers: TextIndex

    @classmethod
    def build(cls, records: Sequence[Record], threshold: float) -> EvaluationIndex:
        """Index rows. `threshold` (above 0, at most 1) is the least similarity that counts."""
        return cls(
            ids=tuple(record.id for record in records),
            threshold=threshold,
            questions=text_index([record.question for record in records]),
            answers=text_index([record.answer for record in records]),
        )

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.ids)


def contaminated(
    table: Any,
    index: EvaluationIndex,
    rows: FoldedRows | None = None,
    tokens: tuple[HashedRows, HashedRows] | None = None,
) -> Any:
    """The rows of a table of `SCHEMA` that copy an evaluation row, as `COPY_SCHEMA`.

    `row` counts from 0 within the table. `detail` is the evaluation row's id and the similarity
    (0 to 1). A row that copies both a question and an answer is reported for its question. Give
    `rows` if the table has been folded already, and `tokens` if those of its questions and of its
    answers have been hashed.
    """
    if table.num_rows == 0 or index.rows == 0:
        return COPY_SCHEMA.empty_table()
    rows = fold_rows(table) if rows is None else rows
    asked, answered = rows.texts.take(rows.questions), rows.texts.take(rows.answers)
    of_asked, of_answered = tokens or (hashed_tokens(asked), hashed_tokens(answered))
    twins, alike = nearest(asked, of_asked, index.questions, index.threshold)
    by_answer = nearest(answered, of_answered, index.answers, index.threshold, MIN_ANSWER_TOKENS)
    reasons: Any = np.where(twins < 0, NEAR_ANSWER, NEAR_QUESTION)
    other = twins < 0
    twins[other], alike[other] = by_answer[0][other], by_answer[1][other]
    found = np.flatnonzero(twins >= 0).tolist()
    ids: list[str] = [index.ids[int(twins[row])] for row in found]
    similarities = [round(float(alike[row]), 4) for row in found]
    columns: dict[str, Any] = {
        "row": found,
        "reason": reasons[found].tolist(),
        "evaluation_id": ids,
        "similarity": similarities,
        "detail": [f"{id} {value:.2f}" for id, value in zip(ids, similarities, strict=True)],
    }
    return pa.table(columns, schema=COPY_SCHEMA)


def text_index(texts: Sequence[str]) -> TextIndex:
    """Index texts."""
    folded = fold_texts(pa.array(texts, pa.large_string()))
    shingles = hashed_shingles(hashed_tokens(folded))
    sizes = np.diff(shingles.offsets)
    order = np.argsort(shingles.hashes, kind="stable")
    hashes, starts, lengths = np.unique(
        shingles.hashes[order], return_index=True, return_counts=True
    )
    count = 1 << max(6, int(2 * len(hashes)).bit_length())
    seen, slots = np.zeros(count, dtype=np.uint8), np.zeros(count, dtype=np.uint64)
    places, slot_lengths = (np.zeros(count, dtype=np.int64) for _ in range(2))
    _fill(hashes, starts, lengths, seen, slots, places, slot_lengths)
    postings = np.repeat(np.arange(len(sizes)), sizes)[order]
    # Plain text asks nothing: that two rows ask nothing does not make one a copy of the other.
    said = np.flatnonzero(folded.ends > folded.starts).tolist()
    equal = {_digest(folded, i): i for i in reversed(said)}
    return TextIndex(seen, slots, places, slot_lengths, postings, sizes, equal)


def nearest(
    texts: FoldedTexts, tokens: HashedRows, index: TextIndex, threshold: float, min_tokens: int = 0
) -> tuple[Places, npt.NDArray[np.float64]]:
    """For each text the most similar indexed one (the first of equals; -1: none is near), and how.

    `tokens` are those of the texts. Texts with fewer than `min_tokens` are not compared.
    """
    twins = np.full(len(texts), -1, dtype=np.int64)
    alike = np.zeros(len(texts), dtype=np.float64)
    enough = np.diff(tokens.offsets) >= min_tokens
    near = enough & _could_be_near(tokens.hashes, tokens.offsets, index.seen, threshold)
    rows = np.flatnonzero(near)
    shingles = hashed_shingles(tokens.take(rows))
    twins[rows], alike[rows] = _nearest(
        shingles.hashes,
        shingles.offsets,
        index.seen,
        index.slots,
        index.places,
        index.lengths,
        index.postings,
        index.sizes,
        threshold,
    )
    # Texts without any token ("???") have no shingles: equality is all there is to compare.
    for row in np.flatnonzero(near & ((alike == 1) | (np.diff(tokens.offsets) == 0))).tolist():
        twin = index.equal.get(_digest(texts, row))
        if twin is not None:
            twins[row], alike[row] = twin, 1.0
    return twins, alike


def _digest(texts: FoldedTexts, number: int) -> bytes:
    return xxhash.xxh3_128_digest(texts.data[texts.starts[number] : texts.ends[number]].tobytes())


@nb.njit(cache=True, nogil=True)
def _fill(
    hashes: Any, starts: Any, lengths: Any, seen: Any, slots: Any, places: Any, into: Any
) -> None:
    mask = u64(len(slots) - 1)
    for i in range(len(hashes)):
        seen[_byte(hashes[i], seen)] |= _bit(hashes[i])
        at = hashes[i] & mask
        while into[at] != 0:
            at = (at + u64(1)) & mask
        slots[at], places[at], into[at] = hashes[i], starts[i], lengths[i]


@nb.njit(cache=True, inline="always")
def _byte(value: Any, seen: Any) -> Any:
    return (value >> u64(3)) & u64(len(seen) - 1)


@nb.njit(cache=True, inline="always")
def _bit(value: Any) -> Any:
    return np.uint8(u64(1) << (value & u64(7)))


@nb.njit(cache=True, nogil=True)
def _could_be_near(tokens: Any, offsets: Any, seen: Any, threshold: float) -> Any:
    """False for texts of whose shingles more are unknown than a near text may have.

    Most texts are told by their first few shingles.
    """
    rows = len(offsets) - 1
    near = np.ones(rows, dtype=np.bool_)
    longest = 0
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    size = 64
    while size < 2 * longest:
        size *= 2
    slots, owner = np.zeros(size, dtype=np.uint64), np.full(size, -1, dtype=np.int64)
    for row in range(rows):
        start, end = offsets[row], offsets[row + 1]
        # Those that come twice count once, so a text has at most so many.
        most = (1 - threshold) * max(1, end - start - 1) + 1e-6
        unknown = 0
        for place in range(start, max(start + 1, end - 1) if end > start else start):
            value = shingle(tokens, place, end, u64(0))
            if seen[_byte(value, seen)] & _bit(value) == 0 and is_new(value, row, slots, owner):
                unknown += 1
                if unknown > most:
                    near[row] = False
                    break
    return near


@nb.njit(cache=True, nogil=True)
def _nearest(
    hashes: Any,
    offsets: Any,
    seen: Any,
    slots: Any,
    places: Any,
    lengths: Any,
    postings: Any,
    sizes: Any,
    threshold: float,
) -> Any:
    rows = len(offsets) - 1
    twins = np.full(rows, -1, dtype=np.int64)
    alike = np.zeros(rows, dtype=np.float64)
    shared = np.zeros(len(sizes), dtype=np.int64)
    touched = np.empty(len(sizes), dtype=np.int64)
    for row in range(rows):
        own = hashes[offsets[row] : offsets[row + 1]]
        known = 0
        for value in own:
            known += int(seen[_byte(value, seen)] & _bit(value) != 0)
        # What is shared is at least that share of all shingles of both, so of its own.
        if known == 0 or known < threshold * len(own) - 1e-6:
            continue
        least, most = threshold * len(own) - 1e-6, len(own) / threshold + 1e-6
        count = _count(own, slots, places, lengths, postings, sizes, least, most, shared, touched)
        for text in touched[:count]:
            similarity = shared[text] / (len(own) + sizes[text] - shared[text])
            shared[text] = 0
            better = similarity > alike[row] or (similarity == alike[row] and text < twins[row])
            if similarity >= threshold and better:
                twins[row], alike[row] = text, similarity
    return twins, alike


@nb.njit(cache=True, nogil=True)
def _count(
    own: Any,
    slots: Any,
    places: Any,
    lengths: Any,
    postings: Any,
    sizes: Any,
    least: float,
    most: float,
    shared: Any,
    touched: Any,
) -> int:
    """Count the shared shingles of each text whose number of shingles could be near enough."""
    mask = u64(len(slots) - 1)
    count = 0
    for value in own:
        at = value & mask
        while lengths[at] != 0 and slots[at] != value:
            at = (at + u64(1)) & mask
        for posting in range(places[at], places[at] + lengths[at]):
            text = postings[posting]
            if sizes[text] < least or sizes[text] > most:
                continue
            if shared[text] == 0:
                touched[count] = text
                count += 1
            shared[text] += 1
    return count
