"""The rules that a candidate must pass."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.recipe.section import Section

Metric = Literal[
    "label_accuracy",
    "macro_f1",
    "bleu",
    "rouge_1",
    "rouge_2",
    "rouge_l",
    "perplexity",
    "empty_rate",
    "cut_off_rate",
]
LOWER_IS_BETTER: frozenset[str] = frozenset({"perplexity", "empty_rate", "cut_off_rate"})


class BetterRule(Section):
    """The candidate must be better: the whole interval of the difference lies on the good side."""

    rule: Literal["better"]
    metric: Metric
    than: Literal["baseline", "base"] = "baseline"


class NotWorseRule(Section):
    """The candidate may lose at most `margin` (a share of the other's score if `relative`)."""

    rule: Literal["not_worse"]
    metric: Metric
    margin: float = Field(gt=0)
    relative: bool = False
    than: Literal["baseline", "base"] = "baseline"


class LimitRule(Section):
    """The candidate's own score must keep a limit, whatever the others did."""

    rule: Literal["at_least", "at_most"]
    metric: Metric
    limit: float


GateRule = Annotated[BetterRule | NotWorseRule | LimitRule, Field(discriminator="rule")]


class GateSection(Section):
    """The rules that a candidate must pass. All must pass; what cannot be told is inconclusive."""

    rules: tuple[GateRule, ...] = Field(
        default=(
            BetterRule(rule="better", metric="rouge_l"),
            NotWorseRule(rule="not_worse", metric="bleu", margin=1.0),
            NotWorseRule(rule="not_worse", metric="perplexity", margin=0.05, relative=True),
            LimitRule(rule="at_most", metric="empty_rate", limit=0.02),
        ),
        min_length=1,
        description="Rules; `baseline` is the champion, or the base model while there is none.",
    )
    min_rows: int = Field(
        default=50, ge=2, description="With fewer evaluation rows the verdict is inconclusive."
    )
