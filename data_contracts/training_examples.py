"""The contract of training examples: what is trained on and judged by is clean, whole and apart."""

from __future__ import annotations

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from sluice.recipe import Recipe

# A few of these are what people write; a batch full of them has been cut or mangled on its way.
MAX_BARE_ENDING_SHARE = 0.5


def training_examples_suite(recipe: Recipe) -> gx.ExpectationSuite:
    """Expectations on train, validation and evaluation rows in one frame, after the split.

    Beside the common columns the frame has `tokens`, `in_train`, `in_evaluation`,
    `question_in_evaluation` and `open_ending` (1 or 0 each, except `tokens`).
    """
    return gx.ExpectationSuite(
        name="training_examples",
        expectations=[*_batch(recipe), *_texts(), *_as_cleaned(recipe), *_worth_a_look()],
    )


def _batch(recipe: Recipe) -> list[gxe.Expectation]:
    min_rows = recipe.contract.min_rows
    return [
        gxe.ExpectColumnSumToBeBetween(
            column="in_train",
            min_value=min_rows,
            description=f"at least {min_rows} rows to train on (contract.min_rows)",
        ),
        gxe.ExpectColumnSumToBeBetween(
            column="in_evaluation", min_value=1, description="there are rows to evaluate on"
        ),
        gxe.ExpectColumnSumToBeBetween(
            column="question_in_evaluation",
            max_value=0,
            description="no training or validation question is also an evaluation question",
        ),
    ]


def _texts() -> list[gxe.Expectation]:
    suite: list[gxe.Expectation] = []
    for name in ("question", "answer"):
        suite += [
            gxe.ExpectColumnValuesToNotBeNull(column=name, description=f"the {name} is not null"),
            gxe.ExpectColumnValuesToBeBetween(
                column=f"{name}_visible_characters",
                min_value=1,
                description=f"the {name} has characters that a reader sees",
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column=f"{name}_control_characters",
                max_value=0,
                description=f"no control or zero-width characters are left in the {name}",
            ),
        ]
    return suite


def _as_cleaned(recipe: Recipe) -> list[gxe.Expectation]:
    cleaning = recipe.cleaning
    suite: list[gxe.Expectation] = [
        gxe.ExpectColumnValuesToBeBetween(
            column="tokens",
            max_value=cleaning.max_tokens,
            description="the trainer need not cut the row off (cleaning.max_tokens)",
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="characters",
            max_value=cleaning.max_chars,
            description="the row is no longer than cleaning.max_chars",
        ),
    ]
    if cleaning.strip_html:
        suite += [
            gxe.ExpectColumnValuesToBeBetween(
                column=f"{name}_html", max_value=0, description=f"no HTML is left in the {name}"
            )
            for name in ("question", "answer")
        ]
    if cleaning.drop_duplicates:
        suite.append(
            gxe.ExpectColumnValuesToBeUnique(column="row_id", description="no row occurs twice")
        )
    return suite


def _worth_a_look() -> list[gxe.Expectation]:
    suite: list[gxe.Expectation] = [
        gxe.ExpectColumnMeanToBeBetween(
            column="open_ending",
            max_value=MAX_BARE_ENDING_SHARE,
            severity=FailureSeverity.WARNING,
            description="most answers end like a sentence, so they were not cut off upstream",
        )
    ]
    return suite
