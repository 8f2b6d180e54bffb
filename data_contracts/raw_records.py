"""The contract of raw records: a row has the shape of a conversation, and says where it is from.

It is about one new batch, before cleaning. Texts are not judged here: an empty answer is what
cleaning drops, with its own reason. That is why blank texts are warnings; a batch in which too
many are blank still fails. That texts are text need not be checked: the schema of a row says so.
"""

from __future__ import annotations

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from data_contracts.groups import from_recipe
from data_contracts.limits import at_most, freshness
from sluice.recipe import ContractSection

MAX_REPEATED_SHARE = 0.5
# User and assistant take turns after an optional system message; the assistant may call tools
# before it answers. Plain text is an answer to nothing.
ROLES = (
    r"\A(?:assistant|(?:system>)?(?:user>(?:(?:assistant>)+(?:tool>)+)*assistant>)*"
    r"user>(?:(?:assistant>)+(?:tool>)+)*assistant)\Z"
)


def raw_records_suite(contract: ContractSection) -> gx.ExpectationSuite:
    """Expectations on the rows of one batch, as they were read."""
    return gx.ExpectationSuite(
        name="raw_records",
        expectations=[
            *_shape(),
            *_worth_a_look(),
            *at_most("null_share", contract.max_null_share, "contract.max_null_share"),
            *at_most("question_blank_share", contract.max_blank_share, "contract.max_blank_share"),
            *at_most("answer_blank_share", contract.max_blank_share, "contract.max_blank_share"),
            *freshness(contract),
            *from_recipe(contract.expectations, "raw_records"),
        ],
    )


def _shape() -> list[gxe.Expectation]:
    return [
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=name, description=f"{name} is never null")
            for name in ("row_id", "source", "line", "roles")
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="row_id", regex=r"\A[0-9a-f]{16}\Z", description="row_id is a content digest"
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="roles",
            regex=ROLES,
            description="user and assistant take turns, and the assistant has the last word",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="null_messages", max_value=0, description="every message has a content"
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="line", min_value=1, description="line numbers count from 1"
        ),
    ]


def _worth_a_look() -> list[gxe.Expectation]:
    return [
        *(
            gxe.ExpectColumnValuesToBeBetween(
                column=f"{name}_visible_characters",
                min_value=1,
                severity=FailureSeverity.WARNING,
                description=f"the {name} is not blank (cleaning drops it otherwise)",
            )
            for name in ("question", "answer")
        ),
        *at_most(
            "repeated_share",
            MAX_REPEATED_SHARE,
            "most rows differ from each other",
            severity=FailureSeverity.WARNING,
        ),
    ]
