"""What was asked and answered in the rows of a table, as flat columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.privacy import Private
from sluice.data.privacy.screen import screened
from sluice.data.similarity import tokens_of
from sluice.data.similarity.fold import fold_texts
from sluice.data.similarity.hashed import HashedRows, hashed_tokens
from sluice.data.text_bytes import bytes_of
from sluice.recipe import PrivacySection

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute

_MASKS = Private(PrivacySection(secret="mask"))


@dataclass(frozen=True, slots=True)
class Answers:
    """The answer of row `i` is `data[starts[i]:ends[i]]`, in UTF-8."""

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Questions:
    """What was asked in each row, and the hashes of its tokens.

    `unspaced` says for each row whether its tokens are characters.
    """

    texts: Any  # Arrow strings
    hashes: HashedRows
    unspaced: npt.NDArray[np.bool_]

    def tokens(self, row: int) -> list[str]:
        """The tokens themselves of a row."""
        return tokens_of(self.texts[row].as_py())


def answers_of(table: Any) -> Answers:
    """The last message of each row, if the assistant wrote it, as it stands in the table."""
    flat, counts = _messages(table)
    data, offsets = bytes_of(flat.field("content").fill_null(""))
    last = np.where(counts > 0, np.cumsum(counts) - 1, -1)
    answered = np.append(_is(flat, "assistant"), False)[last]
    starts, ends = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    starts[answered] = offsets[last[answered]]
    ends[answered] = offsets[last[answered] + 1]
    return Answers(data, starts, ends)


def questions_of(table: Any) -> Questions:
    """All that the user said in each row, as a trigger may stand in any turn; no private data.

    Masked here, because a phrase is shown without case and punctuation, where nobody can find an
    address in it any more.
    """
    flat, counts = _messages(table)
    by_user = _is(flat, "user")
    before = np.concatenate([[0], np.cumsum(by_user)])
    firsts = before[np.concatenate([[0], np.cumsum(counts)])]
    contents = flat.field("content").fill_null("").filter(pa.array(by_user))
    texts = pc.binary_join(pa.ListArray.from_arrays(pa.array(firsts, pa.int32()), contents), "\n")
    texts = _masked(texts)
    folded = fold_texts(texts)
    return Questions(texts, hashed_tokens(folded), folded.unspaced)


def _masked(texts: Any) -> Any:
    rows = screened(texts)
    if not len(rows):
        return texts
    masked = [_MASKS.mask(text).text for text in texts.take(pa.array(rows)).to_pylist()]
    at = np.arange(len(texts))
    at[rows] = len(texts) + np.arange(len(rows))
    return pa.concat_arrays([texts, pa.array(masked, pa.string())]).take(pa.array(at))


def _messages(table: Any) -> tuple[Any, Any]:
    """The messages of all rows, and how many each row has."""
    lists = table.column("messages").combine_chunks()
    if isinstance(lists, pa.ChunkedArray):  # what an empty column stays
        lists = pa.concat_arrays(lists.chunks)
    counts = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    return lists.flatten(), counts.astype(np.int64)


def _is(flat: Any, role: str) -> Any:
    return pc.equal(flat.field("role"), role).fill_null(False).to_numpy(zero_copy_only=False)
