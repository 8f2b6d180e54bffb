"""Guards against data that was put there to change what the model says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.recipe.section import Section


class PoisoningSection(Section):
    """Nobody fills the training set alone, and no rare phrase may command an answer."""

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
