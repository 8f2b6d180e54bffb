"""What the training benchmark's measurements come to. Pure arithmetic and its table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.matrix_limit import LIMIT, limit_share

OURS, PEERS = "sluice", ("trl", "llamafactory")
# Student's t, two-sided 95 %, by degrees of freedom: 2n - 2 for n seeds on each side.
T_95 = {2: 4.303, 4: 2.776, 6: 2.447, 8: 2.306, 10: 2.228, 12: 2.179, 14: 2.145, 16: 2.120}
RULE = (
    "equal within seed noise: the 95 % interval of the difference of means (Student's t, pooled "
    "variance, seeds as repetitions) holds 0"
)


@dataclass(frozen=True, slots=True)
class Scored:
    """One training of a side. `evaluation_loss` is in nats per answer token."""

    tokens_per_second: float
    peak_memory_mb: float
    seconds: float
    evaluation_loss: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Our evaluation loss minus a peer's: the mean over seeds, and its 95 % interval."""

    mean: float
    low: float
    high: float
    ranges_overlap: bool

    @property
    def equal_within_seed_noise(self) -> bool:
        """Whether the interval holds 0."""
        return self.low <= 0.0 <= self.high


def difference(ours: Sequence[float], theirs: Sequence[float]) -> Difference:
    """How far two sides' losses are apart, each over as many seeds.

    Raises:
        ValueError: there are not 2 to 9 seeds on each side, as many on one as on the other.
    """
    seeds = len(ours)
    if seeds != len(theirs) or 2 * seeds - 2 not in T_95:
        raise ValueError(f"{seeds} and {len(theirs)} losses: 2 to 9 on each side are needed.")
    pooled = (statistics.variance(ours) + statistics.variance(theirs)) / 2
    half = T_95[2 * seeds - 2] * math.sqrt(pooled * 2 / seeds)
    mean = statistics.mean(ours) - statistics.mean(theirs)
    overlap = min(ours) <= max(theirs) and min(theirs) <= max(ours)
    return Difference(mean, mean - half, mean + half, overlap)


def report(
    found: Mapping[str, Sequence[Scored]],
    methods: Sequence[Mapping[str, Any]],
    per_token: float,
    flops: Mapping[str, float],
) -> dict[str, Any]:
    """All figures, JSON-ready. `flops` are operations per second by shape, as measured."""
    speeds = _medians(found, "tokens_per_second")
    memory = _medians(found, "peak_memory_mb")
    losses = {name: [one.evaluation_loss for one in runs] for name, runs in found.items()}
    shares = {name: limit_share(speed, per_token, flops[LIMIT]) for name, speed in speeds.items()}
    return {
        "ratios": {peer: _over(speeds, OURS, peer) for peer in PEERS},
        "evaluation_loss": losses,
        "peak_memory_ratio": _over(memory, OURS, "trl"),
        "limit_share": shares.get(OURS),
        "methods": [dict(row) for row in methods],
        "loss_difference": {
            peer: _told(losses[OURS], losses[peer])
            for peer in found
            if peer != OURS and OURS in found
        },
        "tokens_per_second": speeds,
        "tokens_per_second_of_each_round": {
            name: [one.tokens_per_second for one in runs] for name, runs in found.items()
        },
        "peak_memory_mb": memory,
        "seconds": _medians(found, "seconds"),
        "limit_shares": shares,
        "flops_per_token": per_token,
        "gflops": {name: value / 1e9 for name, value in flops.items()},
    }


def _told(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any] | None:
    if len(ours) < 2:
        return None  # one seed tells nothing about noise
    found = difference(ours, theirs)
    return asdict(found) | {"equal_within_seed_noise": found.equal_within_seed_noise}


def _medians(found: Mapping[str, Sequence[Scored]], field: str) -> dict[str, float]:
    return {
        name: statistics.median(getattr(one, field) for one in runs) for name, runs in found.items()
    }


def _over(values: Mapping[str, float], one: str, other: str) -> float | None:
    return values[one] / values[other] if one in values and other in values else None


def table(figures: Mapping[str, Any]) -> str:
    """The figures for a person."""
    gflops, share = figures["gflops"], figures["limit_share"]
    parts = [
        _sides(figures),
        _ratios(figures),
        f"evaluation loss, ours minus theirs ({RULE}):\n{_differences(figures)}",
        "matrix products, GFLOP/s: "
        + ", ".join(f"{name} {value:.0f}" for name, value in gflops.items())
        + f"\nlimit: {LIMIT} over {figures['flops_per_token'] / 1e6:.0f} MFLOP per token"
        + ("" if share is None else f"; ours reaches {share:.0%} of it"),
        _methods(figures["methods"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sides(figures: Mapping[str, Any]) -> str:
    names = "".join(f"{name:>9}" for name in ("tokens/s", "peak MB", "seconds", "of limit"))
    lines = [f"{'side':<20}{names}  loss by seed"]
    for name, speed in figures["tokens_per_second"].items():
        losses = " ".join(f"{loss:.4f}" for loss in figures["evaluation_loss"][name])
        lines.append(
            f"{name:<20}{speed:>9.0f}{figures['peak_memory_mb'][name]:>9.0f}"
            f"{figures['seconds'][name]:>9.0f}{figures['limit_shares'][name]:>9.0%}  {losses}"
        )
    return "\n".join(lines)


def _ratios(figures: Mapping[str, Any]) -> str:
    speeds = [
        f"{ratio:.2f} times the tokens per second of {peer}"
        for peer, ratio in figures["ratios"].items()
        if ratio is not None
    ]
    memory = figures["peak_memory_ratio"]
    return "\n".join([*speeds, *([] if memory is None else [f"{memory:.0%} of trl's memory"])])


def _differences(figures: Mapping[str, Any]) -> str:
    return "\n".join(
        f"  {peer:<18}"
        + (
            "one seed: no interval"
            if found is None
            else f"{found['mean']:+.4f} [{found['low']:+.4f}, {found['high']:+.4f}]  "
            f"{'equal' if found['equal_within_seed_noise'] else 'not equal'}; ranges "
            f"{'overlap' if found['ranges_overlap'] else 'do not overlap'}"
        )
        for peer, found in figures["loss_difference"].items()
    )


def _methods(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    lines = [f"{'method':<12}{'rate':>9}{'tokens/s':>9}{'peak MB':>9}{'loss':>9}{'size MB':>9}"]
    for row in rows:
        if "failed" in row:
            lines.append(f"{row['method']:<12}failed: {row['failed']}")
            continue
        lines.append(
            f"{row['method']:<12}{row['learning_rate']:>9.2g}{row['tokens_per_second']:>9.0f}"
            f"{row['peak_memory_mb']:>9.0f}{row['evaluation_loss']:>9.4f}{row['size_mb']:>9.2f}"
        )
    return "\n".join(lines)
