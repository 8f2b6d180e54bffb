"""One part of a data set as flat columns: a measure of each row, computed for all rows at once.

The suites check measures of a text (how many visible characters, how many tokens) instead of the
text: numbers are small enough to hold for many rows, and quote nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute

from sluice.data.cleaning.characters import control_characters, visible_characters
from sluice.data.cleaning.html import has_html

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute

# Anything that is not plainly seen or a plain space: texts with one of these are counted one by
# one, by the functions that cleaning uses.
_ODD = (
    r"[\x{00}-\x{08}\x{0b}-\x{1f}\x{7f}-\x{a0}\x{ad}\x{34f}\x{61c}\x{115f}\x{1160}\x{1680}\x{180e}"
    r"\x{2000}-\x{200f}\x{2028}-\x{202f}\x{205f}-\x{206f}\x{2800}\x{3164}\x{feff}\x{ffa0}"
    r"\x{3000}\x{e0000}-\x{e007f}]"
)
_ENDINGS = pa.array([*".!?…:;)]}\"'”’»。！？）】」』；：~"])


class Rows:
    """The rows of one table of `SCHEMA`. Every measure is computed when it is first asked for."""

    def __init__(self, table: Any) -> None:
        self.table = table.combine_chunks()
        self.count: int = table.num_rows
        lists = _whole(self.table.column("messages"))
        flat = lists.flatten()
        self.roles = flat.field("role")
        self.contents = flat.field("content")
        self.turns = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        self._ends = np.cumsum(self.turns, dtype=np.int64)
        self._starts = self._ends - self.turns

    def column(self, name: str) -> Any:
        """A column of the table as it is."""
        return _whole(self.table.column(name))

    def tag(self, name: str) -> Any:
        """The value of a tag in each row, null where the row has none."""
        return pc.map_lookup(self.column("tags"), pa.scalar(name, pa.string()), "first")

    @cached_property
    def question(self) -> Any:
        """The last thing the user said; null where nothing was, as in rows of plain text."""
        return self._at(_last_before(self._is("user"), self._starts, self._ends))

    @cached_property
    def answer(self) -> Any:
        """The last message; null where the assistant did not write it."""
        by_assistant = _last_before(self._is("assistant"), self._starts, self._ends)
        return self._at(np.where(by_assistant == self._ends - 1, by_assistant, -1))

    @cached_property
    def system(self) -> Any:
        """The row's own system message, null where it has none."""
        return self._at(_last_before(self._is("system"), self._starts, self._ends))

    @cached_property
    def joined_roles(self) -> Any:
        """The roles of each row, such as `user>assistant`."""
        offsets = pa.array(np.concatenate([[0], self._ends]), pa.int32())
        return pc.binary_join(pa.ListArray.from_arrays(offsets, self.roles), ">")

    @cached_property
    def characters(self) -> Any:
        """Characters of all messages of each row."""
        return self._added_up(pc.utf8_length(self.contents).fill_null(0))

    @cached_property
    def null_messages(self) -> Any:
        """Messages of each row that have no content, not even an empty one."""
        return self._added_up(pc.is_null(self.contents).cast(pa.int32()))

    def _added_up(self, values: Any) -> Any:
        numbers = values.to_numpy(zero_copy_only=False)
        total = np.concatenate([[0], np.cumsum(numbers, dtype=np.int64)])
        return total[self._ends] - total[self._starts]

    def _is(self, role: str) -> Any:
        return pc.equal(self.roles, role).fill_null(False).to_numpy(zero_copy_only=False)

    def _at(self, places: Any) -> Any:
        """Contents at places in the flat messages; null where the place is -1."""
        return self.contents.take(pa.array(places, mask=places < 0))


def characters_of(texts: Any) -> Any:
    """How many characters each text has; NaN where it is null."""
    return _numbers(pc.utf8_length(texts))


def visible_characters_of(texts: Any) -> Any:
    """How many characters of each text a reader sees; NaN where it is null."""
    return _corrected(characters_of(texts) - _plain_spaces(texts), texts, visible_characters)


def control_characters_of(texts: Any) -> Any:
    """How many control and stray zero-width characters each text has; NaN where it is null."""
    plain = np.where(pc.is_null(texts).to_numpy(zero_copy_only=False), np.nan, 0.0)
    return _corrected(plain, texts, control_characters)


def html_of(texts: Any) -> Any:
    """1 for each text in which HTML is left, else 0; NaN where it is null."""
    found = np.where(pc.is_null(texts).to_numpy(zero_copy_only=False), np.nan, 0.0)
    maybe = pc.or_(pc.match_substring(texts, "<"), pc.match_substring(texts, "&"))
    return _one_by_one(found, texts, maybe, lambda text: float(has_html(text)))


def open_ending_of(texts: Any) -> Any:
    """1 for each text that does not end like a sentence, else 0."""
    last = pc.utf8_slice_codeunits(texts, -1)
    closed = pc.is_in(last, value_set=_ENDINGS).fill_null(False)
    return 1 - closed.to_numpy(zero_copy_only=False).astype(np.int64)


def _corrected(plain: Any, texts: Any, count: Callable[[str], int]) -> Any:
    return _one_by_one(plain, texts, pc.match_substring_regex(texts, _ODD), count)


def _one_by_one(values: Any, texts: Any, chosen: Any, measure: Callable[[str], float]) -> Any:
    """The values, computed anew for the chosen texts."""
    places = np.flatnonzero(chosen.fill_null(False).to_numpy(zero_copy_only=False))
    if len(places):
        values = values.copy()
        values[places] = [measure(text) for text in texts.take(pa.array(places)).to_pylist()]
    return values


def _plain_spaces(texts: Any) -> Any:
    """How many spaces, tabs and line feeds each text has, counted in its UTF-8 bytes."""
    _, ends, data = texts.buffers()
    if data is None or data.size == 0:
        return np.zeros(len(texts))
    octets = np.frombuffer(data, np.uint8)
    edges = np.frombuffer(ends, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    blank = (octets == 32) | (octets == 10) | (octets == 9)
    return np.diff(np.searchsorted(np.flatnonzero(blank), edges))


def _last_before(wanted: Any, starts: Any, ends: Any) -> Any:
    """For each row the last place from its start to its end that is wanted, or -1."""
    if len(wanted) == 0:
        return np.full(len(starts), -1, dtype=np.int64)
    last = np.maximum.accumulate(np.where(wanted, np.arange(len(wanted)), -1))
    found = last[np.maximum(ends - 1, 0)]
    return np.where((found >= starts) & (ends > starts), found, -1)


def _numbers(values: Any) -> Any:
    """Numbers with NaN for null, which Great Expectations reads as null."""
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False)


def _whole(column: Any) -> Any:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
