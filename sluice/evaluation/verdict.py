"""What a gate says: one line for each rule, so that a person can argue with it, and a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["pass", "fail", "inconclusive"]
Word = Literal["promote", "reject", "inconclusive"]
Baseline = Literal["champion", "base"]


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule, judged. Numbers are in the metric's own unit, or shares where `relative`.

    `interval` is what the rule looked at: the two-sided interval for "better", both one-sided
    bounds for "not worse". None where there is no such number.
    """

    rule: str
    metric: str
    observed: float | None
    interval: tuple[float, float] | None
    limit: float | None
    outcome: Outcome
    reason: str
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's word. `rows_to_settle`: about how many more rows would settle what is open."""

    verdict: Word
    lines: tuple[RuleLine, ...]
    baseline: Baseline
    rows: int
    rows_to_settle: int | None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Verdict:
        """The inverse of `to_json`."""
        read: dict[str, Any] = {**fields, "lines": tuple(_line(line) for line in fields["lines"])}
        return cls(**read)


def _line(fields: Mapping[str, Any]) -> RuleLine:
    interval = fields["interval"]
    read: dict[str, Any] = {**fields, "interval": tuple(interval) if interval else None}
    return RuleLine(**read)
