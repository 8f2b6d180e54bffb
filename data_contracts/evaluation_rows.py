"""The contract of evaluation rows: every model is judged by them, so they must be sound."""

from __future__ import annotations

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from data_contracts.curated_examples import cleaned_texts
from data_contracts.groups import from_recipe
from data_contracts.limits import at_least
from data_contracts.training_examples import tokens
from sluice.recipe import Recipe


def evaluation_rows_suite(recipe: Recipe, *, counted: bool) -> gx.ExpectationSuite:
    """Expectations on the rows that models are judged by, held out or chosen."""
    return gx.ExpectationSuite(
        name="evaluation_rows",
        expectations=[
            at_least("rows", 1, "there are rows to evaluate on"),
            *cleaned_texts(recipe.cleaning),
            *tokens(recipe.cleaning, counted=counted),
            gxe.ExpectColumnValuesToBeBetween(
                column="repeated",
                max_value=0,
                severity=FailureSeverity.WARNING,
                description="no row occurs twice, and so counts twice",
            ),
            *from_recipe(recipe.contract.expectations, "evaluation_rows"),
        ],
    )
