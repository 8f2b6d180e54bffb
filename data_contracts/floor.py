"""What every contract demands, because Great Expectations passes without it.

Measured with 1.24: an empty suite, an empty frame, a column of nulls and a text of spaces or
zero-width characters all count as success.
"""

from __future__ import annotations

import great_expectations as gx
import great_expectations.expectations as gxe

from data_contracts.frame import PLACE_COLUMNS, TEXT_COLUMNS
from sluice.errors import ContractError


def with_floor(suite: gx.ExpectationSuite) -> gx.ExpectationSuite:
    """A copy of the suite that also fails on no rows, columns of nulls, and texts all blank.

    Raises:
        ContractError: the suite expects nothing.
    """
    if not suite.expectations:
        raise ContractError(
            f"{suite.name}: the contract expects nothing, so it would pass anything. "
            f"Put expectations into data_contracts/{suite.name}.py."
        )
    own = [expectation.copy(deep=True) for expectation in suite.expectations]
    return gx.ExpectationSuite(name=suite.name, expectations=[*own, *_floor(suite)])


def _floor(suite: gx.ExpectationSuite) -> list[gxe.Expectation]:
    named = {getattr(expectation, "column", None) for expectation in suite.expectations}
    columns = sorted({name for name in named if name} | {*PLACE_COLUMNS, *TEXT_COLUMNS})
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1, description="the batch is not empty"),
        *(
            gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(
                column=name,
                min_value=0,
                strict_min=True,
                description=f"{name} is not null in every row",
            )
            for name in columns
        ),
        *(
            gxe.ExpectColumnMaxToBeBetween(
                column=f"{name}_visible_characters",
                min_value=1,
                description=f"the {name} is not blank in every row",
            )
            for name in TEXT_COLUMNS
        ),
    ]
