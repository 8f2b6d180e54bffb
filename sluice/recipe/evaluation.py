"""How models are scored."""

from __future__ import annotations

from pydantic import Field

from sluice.recipe.section import Section


class EvaluationSection(Section):
    """How base, champion and candidate are scored: same rows, same code, same run."""

    max_new_tokens: int = Field(default=96, ge=1, description="Longest answer that is generated.")
    batch_size: int = Field(default=16, ge=1, description="Questions answered at a time.")
    resamples: int = Field(
        default=2000, ge=200, description="Resamples of the paired bootstrap (Koehn 2004)."
    )
    confidence: float = Field(
        default=0.95, gt=0.5, lt=1.0, description="Level of the intervals that are shown."
    )
    samples: int = Field(
        default=5, ge=0, description="Answers that are shown side by side in the report."
    )
