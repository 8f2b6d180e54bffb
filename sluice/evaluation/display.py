"""How metrics are named and numbers are written, the same in the gate's lines, report and forms."""

from __future__ import annotations

import math
from collections.abc import Callable

from sluice.recipe import LOWER_IS_BETTER

NAMES = {
    "label_accuracy": "Label accuracy",
    "macro_f1": "Macro-F1",
    "bleu": "BLEU",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "perplexity": "Perplexity",
    "empty_rate": "Empty answers",
    "cut_off_rate": "Cut-off answers",
}
RATES = frozenset({"label_accuracy", "macro_f1", "empty_rate", "cut_off_rate"})
MINUS = "\N{MINUS SIGN}"
PERCENT = "\N{NO-BREAK SPACE}%"
POINTS = "\N{NO-BREAK SPACE}pp"
NONE = "\N{EN DASH}"


def name_of(metric: str) -> str:
    """The name that people know a metric by."""
    return NAMES.get(metric, metric)


def good_direction(metric: str) -> str:
    """`higher` or `lower`: where better lies."""
    return "lower" if metric in LOWER_IS_BETTER else "higher"


def score_text(metric: str, value: float) -> str:
    """A score: `31.4` points, a perplexity as `8.27`, a rate as `2.2 %`."""
    if not math.isfinite(value):
        return NONE
    if metric in RATES:
        return f"{100 * value:.1f}{PERCENT}".replace("-", MINUS)
    return f"{value:.{2 if metric == 'perplexity' else 1}f}".replace("-", MINUS)


def difference_text(metric: str, value: float) -> str:
    """A difference, with its sign: `+3.1`; of rates in percentage points: `−1.1 pp`."""
    if not math.isfinite(value):
        return NONE
    if metric in RATES:
        return f"{_signed(100 * value, 1)}{POINTS}"
    return _signed(value, 2 if metric == "perplexity" else 1)


def share_text(value: float) -> str:
    """A relative difference, with its sign: `+3.1 %`."""
    if not math.isfinite(value):
        return NONE
    return f"{_signed(100 * value, 1)}{PERCENT}"


def interval_text(write: Callable[[float], str], low: float, high: float) -> str:
    """An interval in brackets, or a dash where there is none."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return NONE
    return f"[{write(low)}, {write(high)}]"


def level_text(confidence: float) -> str:
    """A confidence level: `95 %`."""
    return f"{100 * confidence:g}{PERCENT}"


def _signed(value: float, digits: int) -> str:
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"{MINUS if value < 0 else '+'}{text}"
