"""The contract of raw records: a row has the shape of a conversation, and says where it is from.

Texts are not judged here: an empty answer is what cleaning drops, with its own reason. That is why
blank texts are warnings; a batch in which all are blank still fails, as in every contract.
"""

from __future__ import annotations

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

MIN_DISTINCT_SHARE = 0.5


def raw_records_suite() -> gx.ExpectationSuite:
    """Expectations on the rows of all snapshots together, before cleaning."""
    return gx.ExpectationSuite(name="raw_records", expectations=[*_shape(), *_worth_a_look()])


def _shape() -> list[gxe.Expectation]:
    present = ("row_id", "source", "line", "roles", "question", "answer")
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1, description="there are rows"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=name, description=f"{name} is never null")
            for name in present
        ),
        *(
            gxe.ExpectColumnValuesToBeOfType(column=name, type_="str", description=f"{name}: text")
            for name in ("row_id", "source", "question", "answer")
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="row_id", regex=r"\A[0-9a-f]{16}\Z", description="row_id is a content digest"
        ),
        gxe.ExpectColumnValuesToMatchRegex(
            column="roles",
            regex=r"\A(?:system>)?(?:user>assistant>)*user>assistant\Z",
            description="user and assistant take turns, and the assistant has the last word",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="line", min_value=1, description="line numbers count from 1"
        ),
    ]


def _worth_a_look() -> list[gxe.Expectation]:
    suite: list[gxe.Expectation] = [
        *(
            gxe.ExpectColumnValuesToBeBetween(
                column=f"{name}_visible_characters",
                min_value=1,
                severity=FailureSeverity.WARNING,
                description=f"the {name} is not blank (cleaning drops it otherwise)",
            )
            for name in ("question", "answer")
        ),
        gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(
            column="row_id",
            min_value=MIN_DISTINCT_SHARE,
            severity=FailureSeverity.WARNING,
            description="most rows differ from each other",
        ),
    ]
    return suite
