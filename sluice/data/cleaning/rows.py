"""Repaired rows as the rules see them: flat columns, a number for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.cleaning.beginnings import first_letters, shows_characters
from sluice.data.cleaning.measures import COLUMN, measured
from sluice.data.record import Record, records_of
from sluice.data.text_bytes import bytes_of
from sluice.recipe import CleaningSection

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute
T = TypeVar("T")


class Rows:
    """Rows of a table, seen by rules.

    `live` is true for rows that no earlier rule has taken; rules that cost much look at no other.
    A row without a question or an answer has an empty one.
    """

    def __init__(self, table: Any, texts: Sequence[str]) -> None:
        """`texts` are the contents of all messages of `table`, whose columns are in one piece."""
        self.table = table
        self.live: Any = np.ones(table.num_rows, dtype=bool)
        self._texts = list(texts)
        self._remembered: dict[str, Any] = {}
        lists = _lists(table)
        flat = lists.flatten()
        self._contents: Any = pc.fill_null(flat.field("content"), "")
        lengths = pc.fill_null(lists.value_lengths(), 0).to_numpy(zero_copy_only=False)
        self.ends: Any = np.cumsum(lengths, dtype=np.int64)
        self.starts: Any = self.ends - lengths
        roles = flat.field("role")
        self._question_at = _last_where(_is(roles, "user"), self.starts, self.ends)
        last = np.where(lengths > 0, self.ends - 1, -1)
        by_assistant = np.append(_is(roles, "assistant"), False)
        self._answer_at = np.where(by_assistant[last], last, -1)
        more = np.append(pc.match_substring(flat.field("more"), '"tool_calls"').fill_null(False), 0)
        # An answer that calls a tool says nothing, or next to nothing, and is whole all the same.
        self.calls_tool: Any = more[self._answer_at].astype(bool)
        self.has_question: Any = self._question_at >= 0

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.ends)

    @cached_property
    def questions(self) -> list[str]:
        """The last thing that the user said, for each row."""
        texts = self._texts
        return [texts[i] if i >= 0 else "" for i in self._question_at.tolist()]

    @cached_property
    def answers(self) -> list[str]:
        """The reply to be learned, for each row."""
        texts = self._texts
        return [texts[i] if i >= 0 else "" for i in self._answer_at.tolist()]

    @cached_property
    def answer_array(self) -> Any:
        """The same as an Arrow array."""
        at = pa.array(self._answer_at, mask=self._answer_at < 0)
        return pc.fill_null(self._contents.take(at), "")

    def questions_in_doubt(self, least: int) -> list[int]:
        """The rows with a question whose start does not show `least` visible characters."""
        shown = shows_characters(*self._beginnings, self._question_at, least)
        return np.flatnonzero(self.has_question & ~shown).tolist()

    def answers_in_doubt(self, least: int) -> list[int]:
        """The rows, with an answer or without, whose answer's start does not show as many."""
        shown = shows_characters(*self._beginnings, self._answer_at, least)
        return np.flatnonzero(~shown).tolist()

    def may_start_alike(self) -> list[int]:
        """The rows whose question and answer may have the same first letter, in either case."""
        asked, said = (
            first_letters(*self._beginnings, at) for at in (self._question_at, self._answer_at)
        )
        return np.flatnonzero((asked == said) | (asked == 0) | (said == 0)).tolist()

    def not_ascii(self) -> list[tuple[int, str]]:
        """The texts that are not ASCII alone, each with its row."""
        texts = np.flatnonzero(~_flags(pc.string_is_ascii(self._contents)))
        rows = np.searchsorted(self.ends, texts, side="right")
        return [(row, self._texts[i]) for row, i in zip(rows.tolist(), texts.tolist(), strict=True)]

    @cached_property
    def _beginnings(self) -> tuple[Any, Any]:
        return bytes_of(self._contents)

    @cached_property
    def _lengths(self) -> Any:
        return np.fromiter(map(len, self._texts), dtype=np.int64, count=len(self._texts))

    @cached_property
    def characters(self) -> Any:
        """Characters in all messages, for each row."""
        before = np.concatenate([[0], np.cumsum(self._lengths)])
        return before[self.ends] - before[self.starts]

    @cached_property
    def answer_characters(self) -> Any:
        """Characters of the answer, for each row."""
        return np.append(self._lengths, 0)[self._answer_at]

    def records(self, rows: Any) -> list[Record]:
        """These rows, as records."""
        return records_of(self.table.take(pa.array(rows, pa.int64())))

    def measure(self, name: str, section: CleaningSection) -> Any:
        """A measure of `measures.NAMES` of the answer, for each row; NaN where it is too short."""
        measures = self.remember("measures", lambda: self._measures(section))
        return measures[:, COLUMN[name]]

    def remember(self, name: str, tell: Callable[[], T]) -> T:
        """What `tell` says, which is asked once only, by whoever comes first."""
        if name not in self._remembered:
            self._remembered[name] = tell()
        return self._remembered[name]

    def _measures(self, section: CleaningSection) -> Any:
        # No rule looks at rows that are gone, nor can fewer characters hold so many words.
        enough = 2 * section.min_measured_words - 1
        chosen = np.flatnonzero(self.live & (self.answer_characters >= enough))
        found = measured(self._contents, self._answer_at[chosen], section.min_measured_words)
        measures = np.full((len(self), len(COLUMN)), np.nan)
        measures[chosen] = found
        return measures


def _lists(table: Any) -> Any:
    column = table.column("messages")
    return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def _is(roles: Any, role: str) -> Any:
    return _flags(pc.equal(roles, role).fill_null(False))


def _flags(found: Any) -> Any:
    return found.to_numpy(zero_copy_only=False)


def _last_where(wanted: Any, starts: Any, ends: Any) -> Any:
    """For each row the number of its last message that is wanted, or -1."""
    numbers = np.where(wanted, np.arange(len(wanted)), -1)
    last = np.append(np.maximum.accumulate(numbers) if len(numbers) else numbers, -1)
    found = last[ends - 1]
    return np.where((ends > starts) & (found >= starts), found, -1)
