"""The contract of training examples: enough of them, apart from evaluation, whole for the trainer.

It is about the same rows as the contract of curated examples, as the trainer will see them.
"""

from __future__ import annotations

import great_expectations as gx
import great_expectations.expectations as gxe

from data_contracts.groups import from_recipe
from data_contracts.limits import at_least
from sluice.recipe import CleaningSection, Recipe


def training_examples_suite(recipe: Recipe, *, counted: bool) -> gx.ExpectationSuite:
    """Expectations on train and validation rows, after the split.

    `counted` tells whether tokens can be counted, for which a tokenizer is needed.
    """
    min_rows = recipe.contract.min_rows
    return gx.ExpectationSuite(
        name="training_examples",
        expectations=[
            at_least(
                "train_rows",
                min_rows,
                f"at least {min_rows} rows to train on (contract.min_rows)",
            ),
            gxe.ExpectColumnMaxToBeBetween(
                column="evaluation_question_rows",
                max_value=0,
                description="no training or validation question is also an evaluation question",
            ),
            *tokens(recipe.cleaning, counted=counted),
            *from_recipe(recipe.contract.expectations, "training_examples"),
        ],
    )


def tokens(cleaning: CleaningSection, *, counted: bool) -> list[gxe.Expectation]:
    """The trainer need not cut a row off, and no row is empty to it."""
    if not counted:
        return []
    limit = cleaning.max_tokens if cleaning.on("too_many_tokens") else None
    says = " (cleaning.max_tokens)" if limit else ""
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="tokens",
            min_value=1,
            max_value=limit,
            description=f"the trainer need not cut the row off{says}",
        )
    ]
