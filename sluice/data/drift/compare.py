"""Fresh rows against the champion's: a score for each measure, less what chance alone gives."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

from sluice.data.drift.half import CELLS, LENGTHS, NO_CELL, Half
from sluice.data.drift.profile import UNKNOWN, Profile
from sluice.data.drift.scores import (
    divergence,
    length_groups,
    psi,
    psi_by_chance,
    value_groups,
)
from sluice.recipe import DriftSection

# With fewer rows on a side nothing can be told apart from chance.
MIN_ROWS = 20
# A bit map that is nearly full calls everything seen: beyond this, novelty is not told.
_FULL = 0.9
_ONE_IN_A_THOUSAND = 3.0902
# How far the divergence of two sets goes beyond that of their halves by chance; a test measures
# the rate of false alarms with it.
_CHANCE = 0.25


@dataclass(frozen=True, slots=True)
class Measure:
    """One way in which fresh rows may differ.

    `raw` is the distance as it is computed, `by_chance` what two sets of these sizes from one
    source reach at most once in a thousand times. `score` is the distance less its mean under
    chance, and 0 if chance explains it; from `limit` on the measure has drifted.
    """

    name: str
    kind: str
    raw: float
    by_chance: float
    score: float
    limit: float

    @property
    def drifted(self) -> bool:
        """Whether the score has reached the limit."""
        return self.score >= self.limit


@dataclass(frozen=True, slots=True)
class DriftReport:
    """How far fresh rows are from the reference.

    `novelty` is the share of token pairs that the reference does not have; None if that cannot be
    told. `expected_novelty` is what one half of the reference has that the other has not.
    """

    rows: int
    fresh_rows: int
    measures: tuple[Measure, ...]
    novelty: float | None
    expected_novelty: float | None

    @property
    def drifted(self) -> tuple[Measure, ...]:
        """The measures that have drifted."""
        return tuple(measure for measure in self.measures if measure.drifted)

    @property
    def sentence(self) -> str:
        """What the report comes to, for people."""
        if not self.measures:
            return (
                f"Drift cannot be told: {self.fresh_rows} new rows against {self.rows}, and "
                f"{MIN_ROWS} are needed on each side."
            )
        new = "" if self.novelty is None else f" {self.novelty:.0%} of token pairs are new."
        if not self.drifted:
            return f"{self.fresh_rows} new rows are like the champion's {self.rows}.{new}"
        found = ", ".join(f"{m.name} ({m.score:.2f}, limit {m.limit:g})" for m in self.drifted)
        return f"{self.fresh_rows} new rows differ from the champion's {self.rows} in {found}.{new}"

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON-ready dictionary, with its sentence."""
        measures = [{**asdict(m), "drifted": m.drifted} for m in self.measures]
        return {**asdict(self), "measures": measures, "sentence": self.sentence}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> DriftReport:
        """The inverse of `to_json`."""
        own = {name: value for name, value in fields.items() if name != "sentence"}
        listed: list[dict[str, Any]] = own.pop("measures")
        measures = ({k: v for k, v in one.items() if k != "drifted"} for one in listed)
        return cls(**own, measures=tuple(Measure(**one) for one in measures))

    def to_measures(self) -> dict[str, float | int | None]:
        """The scores, under the names that contracts know them by."""
        return {f"drift_{measure.name}": measure.score for measure in self.measures}


def compare(reference: Profile, fresh: Profile, section: DriftSection | None = None) -> DriftReport:
    """Compare fresh rows with the reference; limits are those of the recipe's section."""
    section = section or DriftSection()
    novelty = _unseen(fresh.halves, reference.whole)
    if min(reference.rows, fresh.rows) < MIN_ROWS:
        return DriftReport(reference.rows, fresh.rows, (), novelty, None)
    old, new = reference.whole, fresh.whole
    measures = [
        *(_lengths(name, old, new, section.psi) for name in LENGTHS),
        *_mixes(old, new, section.psi),
        _vocabulary(reference, fresh, section.vocabulary),
    ]
    compared, expected = _novelty(reference, fresh, section.novelty)
    return DriftReport(
        reference.rows,
        fresh.rows,
        (*measures, *([compared] if compared else [])),
        novelty,
        expected,
    )


def _lengths(name: str, old: Half, new: Half, limit: float) -> Measure:
    return _psi(name, *length_groups(old.lengths[name], new.lengths[name]), limit)


def _mixes(old: Half, new: Half, limit: float) -> list[Measure]:
    found: list[Measure] = []
    if {*old.languages, *new.languages} - {UNKNOWN}:
        found.append(_psi("language", *value_groups(old.languages, new.languages), limit))
    for name in sorted({*old.tags, *new.tags}):
        before, after = old.tags.get(name, Counter()), new.tags.get(name, Counter())
        if before and after:  # a tag that only one side has, or that names things, has no mix
            found.append(_psi(f"tag_{name}", *value_groups(before, after), limit))
    return found


def _psi(name: str, old: Any, new: Any, limit: float) -> Measure:
    raw = psi(old, new)
    mean, rare = psi_by_chance(len(old), int(old.sum()), int(new.sum()))
    return _measure(name, "psi", raw, mean, rare, limit)


def _vocabulary(reference: Profile, fresh: Profile, limit: float) -> Measure:
    """The divergence of halves across the sets, less that of halves within them.

    Two samples diverge by chance, and the more so the smaller they are and the rarer their words.
    What each sample adds is in the divergence of its own halves.
    """
    across = float(
        np.mean(
            [
                divergence(a.vocabulary, b.vocabulary)
                for a, b in product(reference.halves, fresh.halves)
            ]
        )
    )
    within = float(
        np.mean([divergence(*(h.vocabulary for h in p.halves)) for p in (reference, fresh)])
    )
    found = _measure("vocabulary", "js", across, within, within * (1 + _CHANCE), limit)
    root: Callable[[float], float] = lambda value: round(math.sqrt(value), 4)  # noqa: E731
    return Measure(
        found.name, found.kind, root(across), root(found.by_chance), root(found.score), limit
    )


def _novelty(
    reference: Profile, fresh: Profile, limit: float
) -> tuple[Measure | None, float | None]:
    """Unseen pairs of fresh rows against each half, and those of the other half against it."""
    old, new = reference.halves, fresh.halves
    pairs = [(old[0], old[1]), (old[1], old[0])]
    known = [_unseen([other], half) for half, other in pairs]
    unseen = [_unseen(new, half) for half, _ in pairs]
    if any(share is None for share in (*known, *unseen)):
        return None, None
    expected = float(np.mean([share for share in known if share is not None]))
    raw = float(np.mean([share for share in unseen if share is not None]))
    spread = _spread(new, old[0]) ** 2 + _spread([old[1]], old[0]) ** 2
    rare = expected + _ONE_IN_A_THOUSAND * math.sqrt(spread)
    return _measure("novelty", "novelty", raw, expected, rare, limit), round(expected, 4)


def _unseen(halves: Any, reference: Half) -> float | None:
    """Share of the sampled pairs that the reference does not have, 0 to 1."""
    shares = _unseen_by_row(halves, reference)
    if not len(shares) or not reference.rows or reference.filled > _FULL:
        return None
    # A new pair falls by chance into a cell that another pair has filled; that is made up for.
    return round(min(1.0, float(shares.mean()) / (1 - reference.filled)), 4)


def _spread(halves: Any, reference: Half) -> float:
    """The standard error of `_unseen`: rows are drawn, and their pairs come with them."""
    shares = _unseen_by_row(halves, reference)
    if len(shares) < 2:
        return 1.0
    error = float(shares.std(ddof=1)) / math.sqrt(len(shares))
    return error / (1 - reference.filled)


def _unseen_by_row(halves: Any, reference: Half) -> Any:
    cells = np.concatenate([half.cells for half in halves])
    there = cells != NO_CELL
    cells, there = cells[there.any(axis=1)], there[there.any(axis=1)]
    places = np.where(there, cells, 0).astype(np.int64) % CELLS
    bits = (reference.seen[places >> 3] >> (7 - (places & 7)).astype(np.uint8)) & 1
    return ((bits == 0) & there).sum(axis=1) / there.sum(axis=1)


def _measure(name: str, kind: str, raw: float, mean: float, rare: float, limit: float) -> Measure:
    score = max(0.0, raw - mean) if raw > rare else 0.0
    return Measure(name, kind, round(raw, 4), round(rare, 4), round(score, 4), limit)
