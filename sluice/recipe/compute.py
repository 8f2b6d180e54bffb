"""Where the data steps run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sluice.recipe.section import Section


class ComputeSection(Section):
    """One machine, or many. The results are the same bytes."""

    engine: Literal["local", "ray"] = Field(
        default="local",
        description="local: processes of this machine. ray: a Ray cluster (install the extra "
        "`sluice-train[ray]`); the lake must lie where all its nodes reach it.",
    )
    address: str | None = Field(
        default=None, description="Address of the Ray cluster. None: Ray's own default."
    )
    workers: int | None = Field(
        default=None,
        ge=1,
        description="Local processes. None: all cores that the process may use.",
    )
