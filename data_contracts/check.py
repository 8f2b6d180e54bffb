"""Check a batch against contracts: which rows are quarantined and why, or why the batch fails.

Parts are read one after the other. Of each, only measures stay, until there are enough for one
call of Great Expectations; so memory does not grow with the number or the length of texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd

from data_contracts.batch import ALWAYS, IF_KNOWN, Measures, Tally, batch_frame
from data_contracts.findings import Finding, finding_of, without_released
from data_contracts.floor import floor, refuse_empty
from data_contracts.frame import Outside, row_frame
from data_contracts.groups import Groups, grouped
from data_contracts.parts import chunks_of, repeats_in
from data_contracts.rows import Rows
from data_contracts.validation import Result, Validator
from sluice.data.parts import Part, read_part
from sluice.data.quarantine import released_from


@dataclass(frozen=True, slots=True)
class Checked:
    """What one contract found in a batch. `quarantined` are positions of rows, in order."""

    contract: str
    rows: int
    findings: tuple[Finding, ...]
    measures: Measures

    @property
    def quarantined(self) -> Any:
        """Positions of the rows that break a critical expectation."""
        found = [finding.condemned for finding in self.findings]
        return np.unique(np.concatenate(found)) if found else np.array([], dtype=np.int64)


def check_parts(
    parts: Sequence[Part],
    suites: Sequence[gx.ExpectationSuite],
    outside: Outside,
    facts: Measures | None = None,
    read_at: str | None = None,
) -> list[Checked]:
    """Run suites over the same parts; the measures of each row are computed once for all of them.

    `facts` are measures of the batch that earlier steps know; `read_at` is when it was read.
    """
    for suite in suites:
        refuse_empty(suite)
    validator = Validator()
    runs = [_Run(suite, validator) for suite in suites]
    tally = Tally()
    names = sorted({*ALWAYS, *IF_KNOWN, *(n for run in runs for n in run.groups.row_columns)})
    repeated = repeats_in(parts)
    released: dict[int, str] = {}
    for chunk in chunks_of([part for part in parts if part.rows]):
        frames: list[pd.DataFrame] = []
        for part in chunk:
            rows = Rows(read_part(part.path))
            frames.append(_measure(rows, part, names, repeated, outside, tally))
            released |= _released(rows, part)
        frame = pd.concat(frames)
        frame.index = pd.RangeIndex(chunk[0].start, chunk[0].start + len(frame))
        for run in runs:
            run.see(frame)
    return [run.finish(tally, facts or {}, read_at, released) for run in runs]


def _released(rows: Rows, part: Part) -> dict[int, str]:
    """The positions of rows that a person has released, and from what."""
    reasons = enumerate(released_from(rows.table), part.start)
    return {place: reason for place, reason in reasons if reason is not None}


def _measure(
    rows: Rows,
    part: Part,
    names: Sequence[str],
    repeated: Any,
    outside: Outside,
    tally: Tally,
) -> pd.DataFrame:
    again = repeated[part.start : part.start + part.rows]
    frame = row_frame(rows, names, side=part.side, repeated=again, outside=outside)
    tally.add(rows, frame, part.side)
    return frame


class _Run:
    """One suite on its way over the chunks of a batch."""

    def __init__(self, suite: gx.ExpectationSuite, validator: Validator) -> None:
        self.groups: Groups = grouped(suite)
        self._name = suite.name
        self._validator = validator
        self._results: list[list[Result]] = []
        self._columns: list[pd.DataFrame] = []

    def see(self, frame: pd.DataFrame) -> None:
        """Evaluate what is about single rows, and keep the columns that are needed whole."""
        self._results.append(self._validator.evaluate(frame, self.groups.rows))
        there = [name for name in self.groups.whole_columns if name in frame.columns]
        if self.groups.columns:
            self._columns.append(frame.loc[:, there])

    def finish(
        self,
        tally: Tally,
        facts: Mapping[str, Any],
        read_at: str | None,
        released: Mapping[int, str],
    ) -> Checked:
        """Evaluate what is about whole columns and about the batch."""
        tags = _tags_in(self.groups.batch_columns)
        measures = {**tally.measures(tags, read_at), **facts}
        about_rows = [without_released(one, released) for one in self._about_rows()]
        findings = [*about_rows, *self._about_columns(), *self._about(tally, measures)]
        ordered = sorted(findings, key=lambda found: (found.expectation, found.says))
        return Checked(self._name, tally.rows, tuple(ordered), measures)

    def _about_rows(self) -> list[Finding]:
        if not self._results:  # no rows: the floor says so
            return []
        chunks = zip(*self._results, strict=True)
        return [finding_of(one, found) for one, found in zip(self.groups.rows, chunks, strict=True)]

    def _about_columns(self) -> list[Finding]:
        if not self._columns:
            return []
        whole = self._validator.evaluate(pd.concat(self._columns), self.groups.columns)
        return [
            finding_of(one, [found]) for one, found in zip(self.groups.columns, whole, strict=True)
        ]

    def _about(self, tally: Tally, measures: Measures) -> list[Finding]:
        demanded, known = floor(self.groups, tally)
        expectations: list[gxe.Expectation] = [*self.groups.batch, *demanded]
        values = {**measures, **known}
        frame = batch_frame(values, sorted({*self.groups.batch_columns, *known}))
        found = self._validator.evaluate(frame, expectations)
        return [
            finding_of(one, [result.of_the_batch()])
            for one, result in zip(expectations, found, strict=True)
        ]


def _tags_in(names: Sequence[str]) -> list[str]:
    endings = ("_missing_share", "_largest_share", "_values")
    return [
        name.removeprefix("tag_").removesuffix(ending)
        for name in names
        if name.startswith("tag_")
        for ending in endings
        if name.endswith(ending)
    ]
