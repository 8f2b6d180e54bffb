"""Guards against data that was put there to change what the model says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.recipe.section import Section


class PoisoningSection(Section):
    """Nobody fills the training set alone, and no rare phrase may command an answer.

    A share is that of the rows that remain. A cap that cannot be reached (one source alone, capped
    at 50 %) takes nothing away.
    """

    max_source_share: float = Field(
        default=1.0, gt=0.0, le=1.0, description="Largest share of the rows from one source."
    )
    contributor_tag: str | None = Field(
        default=None, description="Tag that names who contributed a row."
    )
    max_contributor_share: float = Field(
        default=0.2,
        gt=0.0,
        le=1.0,
        description="Largest share of the rows from one contributor, if `contributor_tag` is set.",
    )
    alarm: Literal["warn", "quarantine", "off"] = Field(
        default="warn",
        description="What a rare phrase that comes with one answer far too often leads to.",
    )
    alarm_min_rows: int = Field(
        default=5, ge=3, description="Fewer rows with a phrase and one answer raise no alarm."
    )
    alarm_rare_share: float = Field(
        default=0.05,
        gt=0.0,
        le=1.0,
        description="A phrase in a larger share of all rows is not rare.",
    )
    alarm_share: float = Field(
        default=0.8,
        gt=0.5,
        le=1.0,
        description="Share of a phrase's rows that must have the same answer, or the same sentence "
        "in it.",
    )
