"""Charts as inline SVG: no script, no font, no file. Colours come from the page's style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from sluice.evaluation.bootstrap import Estimate

FOREST_WIDTH, FOREST_HEIGHT = 124, 22
LOSS_WIDTH, LOSS_HEIGHT = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 92, 12, 30  # room for axis labels and for the names of the lines
NAME_GAP = 16  # least distance, in pixels, between the names of two lines

Point = tuple[float, float]


def forest_bar(difference: Estimate, reach: float, *, lower_is_better: bool) -> Markup:
    """An interval around its value beside a line at 0; right always means better.

    Args:
        difference: candidate - other, in the metric's unit.
        reach: largest absolute value on the scale, the same for bars that are compared.
        lower_is_better: mirror the bar, so that right stays the good side.
    """
    if not difference.is_finite():
        return Markup('<span class="none">no interval</span>')
    reach = reach or 1.0  # all differences are exactly 0
    sign = -1.0 if lower_is_better else 1.0
    ends = sorted(sign * end for end in (difference.low, difference.high))
    low, high = (_forest_x(end, reach) for end in ends)
    value = _forest_x(sign * difference.value, reach)
    tone = "good" if ends[0] > 0 else "bad" if ends[1] < 0 else "open"
    middle, half = FOREST_HEIGHT / 2, FOREST_WIDTH / 2
    return Markup(
        f'<svg class="forest {tone}" viewBox="0 0 {FOREST_WIDTH} {FOREST_HEIGHT}" '
        f'width="{FOREST_WIDTH}" height="{FOREST_HEIGHT}" role="img" aria-label="{tone}">'
        f'<line class="zero" x1="{half}" x2="{half}" y1="1" y2="{FOREST_HEIGHT - 1}"/>'
        f'<line class="interval" x1="{low:.1f}" x2="{high:.1f}" y1="{middle}" y2="{middle}"/>'
        f"{_whisker(low)}{_whisker(high)}"
        f'<circle cx="{value:.1f}" cy="{middle}" r="4"/></svg>'
    )


def _whisker(x: float) -> str:
    middle = FOREST_HEIGHT / 2
    ends = f'y1="{middle - 4}" y2="{middle + 4}"'
    return f'<line class="interval" x1="{x:.1f}" x2="{x:.1f}" {ends}/>'


def _forest_x(value: float, reach: float) -> float:
    usable = FOREST_WIDTH / 2 - 6
    return FOREST_WIDTH / 2 + usable * max(-1.0, min(1.0, value / reach))


@dataclass(frozen=True, slots=True)
class Axes:
    """From data to pixels, for a chart of loss over steps."""

    x_high: float
    y_low: float
    y_high: float

    def x(self, step: float) -> float:
        """Pixels from the left."""
        return LEFT + (LOSS_WIDTH - LEFT - RIGHT) * step / self.x_high

    def y(self, loss: float) -> float:
        """Pixels from the top."""
        share = (loss - self.y_low) / (self.y_high - self.y_low)
        return TOP + (LOSS_HEIGHT - TOP - BOTTOM) * (1 - share)


def loss_chart(train: Sequence[Point], validation: Sequence[Point]) -> Markup:
    """Loss (nats per token) over optimizer steps; each line is named at its end. May be empty."""
    lines = {"train": _finite(train), "validation": _finite(validation)}
    points = [point for line in lines.values() for point in line]
    if not points:
        return Markup("")
    axes = _axes(points)
    names = _name_heights(axes, {name: line for name, line in lines.items() if line})
    body = _grid(axes) + "".join(
        _line(axes, name, line, names[name]) for name, line in lines.items() if line
    )
    return Markup(
        f'<svg class="loss" viewBox="0 0 {LOSS_WIDTH} {LOSS_HEIGHT}" role="img" '
        f'aria-label="Loss over training steps">{body}</svg>'
    )


def _finite(points: Sequence[Point]) -> list[Point]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _axes(points: Sequence[Point]) -> Axes:
    losses = [loss for _, loss in points]
    ticks = nice_ticks(min(losses), max(losses))
    return Axes(max(*(step for step, _ in points), 1.0), ticks[0], ticks[-1])


def nice_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers, in steps of 1, 2 or 5 times a power of ten, that enclose low and high."""
    span = max(high - low, abs(high) * 0.1, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next(power * m for m in (1, 2, 5, 10) if span / (power * m) <= about)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return [round(step * i, 10) for i in range(first, last + 1)]


def _grid(axes: Axes) -> str:
    end = LOSS_WIDTH - RIGHT
    rows = "".join(
        f'<line class="grid" x1="{LEFT}" x2="{end}" y1="{axes.y(t):.1f}" y2="{axes.y(t):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{axes.y(t) + 4:.1f}" text-anchor="end">{t:g}</text>'
        for t in nice_ticks(axes.y_low, axes.y_high)
    )
    steps = [t for t in nice_ticks(0, axes.x_high, about=6) if t <= axes.x_high]
    columns = "".join(
        f'<text x="{axes.x(t):.1f}" y="{LOSS_HEIGHT - 10}" text-anchor="middle">{t:g}</text>'
        for t in steps
    )
    name = f'<text class="axis" x="{end + 14}" y="{LOSS_HEIGHT - 10}">steps</text>'
    return rows + columns + name


def _line(axes: Axes, name: str, points: Sequence[Point], name_y: float) -> str:
    path = " ".join(f"{axes.x(step):.1f},{axes.y(loss):.1f}" for step, loss in points)
    dots = "".join(
        f'<circle class="{name}" cx="{axes.x(step):.1f}" cy="{axes.y(loss):.1f}" r="3.5"/>'
        for step, loss in (points if name == "validation" or len(points) == 1 else ())
    )
    x = axes.x(points[-1][0]) + 10
    label = f'<text class="{name}" x="{x:.1f}" y="{name_y + 4:.1f}">{name}</text>'
    return f'<polyline class="{name}" points="{path}"/>{dots}{label}'


def _name_heights(axes: Axes, lines: dict[str, list[Point]]) -> dict[str, float]:
    """Where to write each line's name: beside its last point, but never over another name."""
    heights: dict[str, float] = {}
    for name, points in sorted(lines.items(), key=lambda item: axes.y(item[1][-1][1])):
        wanted = axes.y(points[-1][1])
        heights[name] = max([wanted, *(y + NAME_GAP for y in heights.values())])
    return heights
