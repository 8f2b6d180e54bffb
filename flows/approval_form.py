"""The form that an approver fills in, in the Prefect UI or through `sluice approve`."""

from __future__ import annotations

from typing import Any, Literal

from prefect.input import RunInput
from pydantic import Field, ValidationError

from sluice.errors import ApprovalError


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


def checked_form(fields: dict[str, Any]) -> ApprovalForm:
    """The form that these fields fill in.

    Raises:
        ApprovalError: a field is missing or not acceptable.
    """
    try:
        return ApprovalForm.model_validate(fields)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ApprovalError(
            f"That is not a decision ({wrong}). Say who decides with `--approver NAME`."
        ) from error
