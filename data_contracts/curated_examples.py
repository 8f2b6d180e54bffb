"""The contract of curated examples: what cleaning and comparing promised has been kept.

It is about the rows that are left to train on, with those that only measure the loss. Rows that
break it are set aside; too many drops, one label everywhere or drift concern the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from data_contracts.groups import from_recipe
from data_contracts.limits import at_most, balance, drift, drops, freshness
from sluice.data.drift import DriftReport
from sluice.recipe import CleaningSection, Recipe

# A few of these are what people write; a batch full of them has been cut or mangled on its way.
MAX_BARE_ENDING_SHARE = 0.5


def curated_examples_suite(
    recipe: Recipe, facts: Mapping[str, Any], report: DriftReport | None
) -> gx.ExpectationSuite:
    """Expectations on train and validation rows; `facts` tell what earlier steps took out."""
    contract = recipe.contract
    return gx.ExpectationSuite(
        name="curated_examples",
        expectations=[
            *cleaned_texts(recipe.cleaning),
            *_once(recipe),
            *drops(contract, facts),
            *balance(contract),
            *freshness(contract),
            *drift(recipe.drift, report),
            *at_most(
                "open_ending_share",
                MAX_BARE_ENDING_SHARE,
                "most answers end like a sentence, so they were not cut off upstream",
                severity=FailureSeverity.WARNING,
            ),
            *from_recipe(contract.expectations, "curated_examples"),
        ],
    )


def cleaned_texts(cleaning: CleaningSection) -> list[gxe.Expectation]:
    """Texts are there, can be seen, and hold nothing that a repair which is on takes away."""
    suite: list[gxe.Expectation] = [
        gxe.ExpectColumnValuesToBeBetween(
            column="null_messages", max_value=0, description="every message has a content"
        )
    ]
    for name in ("question", "answer"):
        suite.append(
            gxe.ExpectColumnValuesToBeBetween(
                column=f"{name}_visible_characters",
                min_value=1,
                description=f"the {name} has characters that a reader sees",
            )
        )
        suite += [
            gxe.ExpectColumnValuesToBeBetween(
                column=f"{name}_{measure}", max_value=0, description=f"{says} in the {name}"
            )
            for measure, says in _repaired(cleaning)
        ]
    if cleaning.on("too_many_characters"):
        suite.append(
            gxe.ExpectColumnValuesToBeBetween(
                column="characters",
                max_value=cleaning.max_chars,
                description="the row is no longer than cleaning.max_chars",
            )
        )
    return suite


def _repaired(cleaning: CleaningSection) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if cleaning.on("control_characters") and cleaning.on("zero_width"):
        found.append(("control_characters", "no control or zero-width characters are left"))
    if cleaning.strip_html and cleaning.on("html"):
        found.append(("html", "no HTML is left"))
    return found


def _once(recipe: Recipe) -> list[gxe.Expectation]:
    if not recipe.duplicates.exact:
        return []
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="repeated", max_value=0, description="no row occurs twice"
        )
    ]
