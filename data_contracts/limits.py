"""Expectations about the batch as a whole, made of the limits that a recipe sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from sluice.data.drift import DriftReport
from sluice.recipe import ContractSection, DriftSection


def at_most(
    column: str,
    limit: float | None,
    says: str,
    *,
    severity: FailureSeverity = FailureSeverity.CRITICAL,
) -> list[gxe.Expectation]:
    """A measure of the batch is at most this; nothing where there is no limit."""
    if limit is None:
        return []
    return [
        gxe.ExpectColumnMaxToBeBetween(
            column=column,
            max_value=limit,
            severity=severity,
            description=f"{column} is at most {limit:g} ({says})",
        )
    ]


def at_least(column: str, limit: float, says: str) -> gxe.Expectation:
    """A measure of the batch is at least this."""
    return gxe.ExpectColumnMinToBeBetween(column=column, min_value=limit, description=says)


def freshness(contract: ContractSection) -> list[gxe.Expectation]:
    """The newest row is young enough."""
    return at_most("freshness_hours", contract.max_age_hours, "contract.max_age_hours")


def drops(contract: ContractSection, facts: Mapping[str, Any]) -> list[gxe.Expectation]:
    """Earlier steps did not take out too much; `facts` are their `rows_in` and `gone`."""
    if not facts.get("rows_in"):
        return []
    rule = contract.max_drop_share_per_rule
    return [
        *at_most("drop_share", contract.max_drop_share, "contract.max_drop_share"),
        *at_most("duplicate_share", contract.max_duplicate_share, "contract.max_duplicate_share"),
        *(
            expectation
            for reason in sorted(facts.get("gone") or {})
            if "duplicate" not in reason
            for expectation in at_most(
                f"drop_share_{reason}", rule, "contract.max_drop_share_per_rule"
            )
        ),
    ]


def balance(contract: ContractSection) -> list[gxe.Expectation]:
    """Labels are balanced, and languages are those that were asked for."""
    return [
        *(
            expectation
            for tag, share in sorted(contract.max_tag_share.items())
            for expectation in at_most(f"tag_{tag}_largest_share", share, "contract.max_tag_share")
        ),
        *(
            at_least(
                f"language_share_{language}",
                share,
                f"at least {share:.0%} of the rows are in {language} (contract.min_language_share)",
            )
            for language, share in sorted(contract.min_language_share.items())
        ),
    ]


def drift(section: DriftSection, report: DriftReport | None) -> list[gxe.Expectation]:
    """No measure has drifted from the champion's data; a warning, unless the recipe stops there."""
    if report is None:
        return []
    stops = section.on_drift == "stop"
    severity = FailureSeverity.CRITICAL if stops else FailureSeverity.WARNING
    return [
        expectation
        for measure in report.measures
        for expectation in at_most(
            f"drift_{measure.name}", measure.limit, "the champion's data", severity=severity
        )
    ]
