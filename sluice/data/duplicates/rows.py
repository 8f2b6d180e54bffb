"""Conversations as the comparisons see them: folded texts, and which of them asks and answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]
import xxhash

from sluice.data.similarity.fold import FoldedTexts, fold_texts
from sluice.data.similarity.hashed import Hashes, Places, joined

nb: Any = numba  # not typed
pa: Any = pyarrow
pc: Any = pyarrow.compute

USER, ASSISTANT = 0, 1
_ROLES = ("user", "assistant", "system", "tool")


@dataclass(frozen=True, slots=True)
class FoldedRows:
    """A table's rows, folded. Texts are those of all messages, row by row.

    Message `i` of a row is text `firsts[row] + i`, up to `firsts[row + 1]`. `questions` and
    `answers` hold the number of the text that is the row's question (the last thing the user said)
    and its answer (the last message, if the assistant wrote it), or -1. `digests` has two hashes
    for each text, which also tell roles and tool calls apart; `tools` one for each row.
    """

    texts: FoldedTexts
    firsts: Places
    questions: Places
    answers: Places
    digests: npt.NDArray[np.uint64]
    tools: Hashes

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.questions)


def fold_rows(table: Any) -> FoldedRows:
    """Fold the rows of a table of `SCHEMA`, for `keys_of`, `bands_of`, `write_store` and others."""
    flat, firsts = _messages(table)
    roles = _role_numbers(flat.field("role"))
    texts = fold_texts(flat.field("content"))
    questions, answers = _asked_and_answered(firsts, roles)
    return FoldedRows(
        texts=texts,
        firsts=firsts,
        questions=questions,
        answers=answers,
        digests=_digests(texts, roles, flat.field("more")),
        tools=_hashes_of(table.column("tools")),
    )


def fold_questions(table: Any) -> FoldedTexts:
    """The question of each row alone, folded; of a row that asks nothing, its answer."""
    flat, firsts = _messages(table)
    asked, answered = _asked_and_answered(firsts, _role_numbers(flat.field("role")))
    untold = asked < 0
    asked[untold] = answered[untold]
    return fold_texts(flat.field("content").take(pa.array(asked, mask=asked < 0)))


def _messages(table: Any) -> tuple[Any, Places]:
    """The messages of all rows, and the number of each row's first one; their count comes last."""
    messages = table.column("messages").combine_chunks()
    if isinstance(messages, pa.ChunkedArray):  # what an empty column stays
        messages = pa.concat_arrays(messages.chunks)
    counts = messages.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return messages.flatten(), np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])


def _role_numbers(roles: Any) -> Any:
    return pc.index_in(roles, value_set=pa.array(_ROLES)).fill_null(len(_ROLES)).to_numpy()


def _digests(texts: FoldedTexts, roles: Any, more: Any) -> npt.NDArray[np.uint64]:
    """Two hashes of each text, its role and its other fields: together they hardly ever meet."""
    data: Any = memoryview(texts.data.data)
    digest = xxhash.xxh3_128_digest
    places = zip(texts.starts.tolist(), texts.ends.tolist(), roles.tolist(), strict=True)
    joined_up = b"".join([digest(data[start:end], role) for start, end, role in places])
    found = np.frombuffer(joined_up, dtype=np.uint64).reshape(-1, 2)
    if more.null_count == len(more):
        return found
    return found ^ _hashes_of(more)[:, None]


def _hashes_of(strings: Any) -> Hashes:
    """A hash of each string; 0 for a null."""
    if strings.null_count == len(strings):
        return np.zeros(len(strings), dtype=np.uint64)
    digest = xxhash.xxh3_64_intdigest
    values = [0 if value is None else digest(value.encode()) for value in strings.to_pylist()]
    return np.array(values, dtype=np.uint64)


@nb.njit(cache=True, nogil=True)
def _asked_and_answered(firsts: Any, roles: Any) -> Any:
    rows = len(firsts) - 1
    questions = np.full(rows, -1, dtype=np.int64)
    answers = np.full(rows, -1, dtype=np.int64)
    for row in range(rows):
        for place in range(firsts[row], firsts[row + 1]):
            if roles[place] == USER:
                questions[row] = place
        last = firsts[row + 1] - 1
        if last >= firsts[row] and roles[last] == ASSISTANT:
            answers[row] = last
    return questions, answers


@nb.njit(cache=True, nogil=True)
def chained(firsts: Any, digests: Any, start: Any, left_out: Any, also_left_out: Any) -> Any:
    """One hash for each row of its texts in their order, without the two that are left out."""
    chains = start.copy()
    for row in range(len(firsts) - 1):
        for place in range(firsts[row], firsts[row + 1]):
            if place != left_out[row] and place != also_left_out[row]:
                chains[row] = joined(chains[row], digests[place])
    return chains
