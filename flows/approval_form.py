"""The form that an approver fills in, in the Prefect UI or through `sluice approve`."""

from __future__ import annotations

from typing import Literal

from prefect.input import RunInput
from pydantic import Field


class ApprovalForm(RunInput):
    """A decision. None of its first two fields has a default: an empty form decides nothing."""

    decision: Literal["approve", "reject"] = Field(
        description="Approve: this version becomes champion and answers users."
    )
    approver: str = Field(
        min_length=2,
        max_length=100,
        pattern=r"\S\s*\S",  # a name of spaces is none; Prefect's server checks this too
        description="Your name, for the record.",
    )
    reason: str = Field(
        default="", max_length=2000, description="Why, for whoever reads this later."
    )
