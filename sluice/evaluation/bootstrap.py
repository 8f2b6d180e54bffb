"""Paired bootstrap over evaluation rows (Koehn 2004, "Statistical significance tests for MT").

Each corpus score here is a function of sums over rows (n-gram counts, log-likelihoods, F1). So a
resample need not score any text again: it adds up the rows that it drew, as one matrix product. All
models and metrics share one set of draws, which is what makes their differences paired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CHUNK = 256  # resamples drawn at a time: bounds memory, whatever the number of resamples


@dataclass(frozen=True, slots=True)
class RowStatistics:
    """What each row adds to a corpus score: (rows, k) addends, and the score of their sums.

    `score` takes sums of shape (..., k) and returns scores of shape (...).
    """

    addends: Floats
    score: Callable[[Floats], Floats]

    def corpus_score(self) -> float:
        """The score of all the rows."""
        return float(self.score(self.addends.sum(axis=0)))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A score or a difference with its percentile intervals at one confidence level.

    `low` and `high` bound the two-sided interval; `floor` and `ceiling` are the one-sided bounds
    at the same level (each leaves the whole error on its own side, so they lie further in).
    """

    value: float
    low: float
    high: float
    floor: float
    ceiling: float

    def is_finite(self) -> bool:
        """Whether every number is one that a decision may rest on."""
        return bool(np.isfinite([self.value, self.low, self.high, self.floor, self.ceiling]).all())

    def to_json(self) -> dict[str, float | None]:
        """JSON-ready; what is not a finite number becomes null, since JSON knows no NaN."""
        fields: dict[str, float] = asdict(self)
        return {name: value if np.isfinite(value) else None for name, value in fields.items()}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Estimate:
        """The inverse of `to_json`; null and missing become NaN."""
        names = ("value", "low", "high", "floor", "ceiling")
        return cls(*(float("nan") if fields.get(n) is None else float(fields[n]) for n in names))


def resampled_scores(
    statistics: Mapping[str, RowStatistics], resamples: int, seed: int
) -> dict[str, Floats]:
    """Scores of every statistic on the same resamples: one array of length `resamples` for each.

    All statistics must have the same rows in the same order.
    """
    addends = np.concatenate([s.addends for s in statistics.values()], axis=1)
    sums = _resampled_sums(addends, resamples, np.random.default_rng(seed))
    ends = np.cumsum([s.addends.shape[1] for s in statistics.values()])[:-1]
    blocks = np.split(sums, ends, axis=1)
    return {
        name: statistic.score(block)
        for (name, statistic), block in zip(statistics.items(), blocks, strict=True)
    }


def _resampled_sums(addends: Floats, resamples: int, random: np.random.Generator) -> Floats:
    rows = len(addends)
    even = np.full(rows, 1.0 / rows)
    parts: list[Floats] = []
    for start in range(0, resamples, CHUNK):
        # How often each row is drawn in n draws with replacement is multinomial.
        times = random.multinomial(rows, even, size=min(CHUNK, resamples - start))
        parts.append(times.astype(np.float64) @ addends)
    return np.concatenate(parts)


def estimate(value: float, draws: Floats, confidence: float) -> Estimate:
    """A point value with the percentile intervals of its resampled values.

    One draw that is not finite makes every bound NaN: a score that some resamples cannot have is
    not a score that a decision may rest on.
    """
    if not (np.isfinite(value) and np.isfinite(draws).all()):
        return Estimate(value, *[float("nan")] * 4)
    tail = 1.0 - confidence
    levels = [tail / 2, 1 - tail / 2, tail, 1 - tail]
    low, high, floor, ceiling = (float(q) for q in np.quantile(draws, levels))
    return Estimate(value, low, high, floor, ceiling)
