"""What each expectation is about: single rows, a column as a whole, or the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.registry import get_expectation_impl

from sluice.errors import RecipeError
from sluice.recipe import ExpectationSection
from sluice.recipe.expectations import ROW_TYPES, columns_in, is_batch_column


@dataclass(frozen=True, slots=True)
class Groups:
    """The expectations of a suite, by the frame that they are evaluated on.

    `rows` are evaluated chunk by chunk; `columns` need all values of a column at once; `batch`
    sees the one row of batch measures.
    """

    rows: tuple[gxe.Expectation, ...]
    columns: tuple[gxe.Expectation, ...]
    batch: tuple[gxe.Expectation, ...]

    @property
    def row_columns(self) -> tuple[str, ...]:
        """Columns of the frame of rows that any expectation names."""
        return _named_by((*self.rows, *self.columns))

    @property
    def whole_columns(self) -> tuple[str, ...]:
        """Columns that must be held whole."""
        return _named_by(self.columns)

    @property
    def batch_columns(self) -> tuple[str, ...]:
        """Columns of the frame of batch measures that any expectation names."""
        return _named_by(self.batch)


def grouped(suite: gx.ExpectationSuite) -> Groups:
    """The expectations of a suite, sorted by what they are about."""
    rows: list[gxe.Expectation] = []
    columns: list[gxe.Expectation] = []
    batch: list[gxe.Expectation] = []
    for expectation in suite.expectations:
        names = columns_of(expectation)
        if names and all(map(is_batch_column, names)):
            batch.append(expectation)
        elif type_of(expectation) in ROW_TYPES:
            rows.append(expectation)
        else:
            columns.append(expectation)
    return Groups(tuple(rows), tuple(columns), tuple(batch))


def type_of(expectation: gxe.Expectation) -> str:
    """The type of an expectation, such as `expect_column_values_to_not_be_null`."""
    return expectation.configuration.type


def columns_of(expectation: gxe.Expectation) -> tuple[str, ...]:
    """The columns that an expectation names."""
    return columns_in(dict(expectation.configuration.kwargs))


def from_recipe(sections: Sequence[ExpectationSection], on: str) -> list[gxe.Expectation]:
    """The expectations that a recipe adds to the contract of this name.

    Raises:
        RecipeError: Great Expectations refuses an argument.
    """
    return [
        _expectation(section, f"contract.expectations.{number}")
        for number, section in enumerate(sections)
        if section.on == on
    ]


def _expectation(section: ExpectationSection, place: str) -> gxe.Expectation:
    fields: dict[str, Any] = {**section.arguments, "severity": section.severity}
    if section.description:
        fields["description"] = section.description
    try:
        return get_expectation_impl(section.type)(**fields)
    except ValueError as error:
        said = "; ".join(line.strip() for line in str(error).splitlines()[1:5])
        raise RecipeError(
            f"{place}: Great Expectations refuses {section.type} with these arguments: {said}. "
            "Mend them in the recipe."
        ) from error


def _named_by(expectations: Sequence[gxe.Expectation]) -> tuple[str, ...]:
    return tuple(sorted({name for one in expectations for name in columns_of(one)}))
