"""What every section of the recipe is: frozen, and closed."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]


class Section(BaseModel):
    """Frozen, and closed: a key that nobody reads is an error, not a silent no-op."""

    # No number of a recipe may be infinite or NaN: a margin of infinity is a rule that never fails.
    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False
    )
