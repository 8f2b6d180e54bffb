"""Limits of the data contracts, and what is made of data that has drifted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sluice.recipe.expectations import ExpectationSection
from sluice.recipe.section import Section

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class ContractSection(Section):
    """Limits of the data contracts; the contracts themselves are code in `data_contracts/`.

    A limit of None is no limit: the measure is reported only.
    """

    min_rows: int = Field(
        default=50, ge=1, description="Fewer training rows than this stop the run."
    )
    max_quarantined_share: Share = Field(
        default=0.1,
        description="Rows that break a contract are set aside; above this share the batch fails.",
    )
    max_drop_share: Share | None = Field(
        default=0.5,
        description="Share of rows that cleaning and comparing may take out, duplicates apart "
        "(a file that is sent again is all duplicates, and no harm).",
    )
    max_drop_share_per_rule: Share | None = Field(
        default=None,
        description="Share of rows that one rule may take out. For a single rule, add an "
        "expectation on `drop_share_REASON`.",
    )
    max_null_share: Share | None = Field(
        default=None, description="Share of raw rows that may have a message without content."
    )
    max_blank_share: Share | None = Field(
        default=0.3, description="Share of raw rows whose question or answer may show nothing."
    )
    max_duplicate_share: Share | None = Field(
        default=None, description="Share of rows that may be taken out as duplicates."
    )
    max_tag_share: dict[str, Share] = Field(
        default={},
        description="Balance of labels: for a tag, the largest share of rows that one of its "
        "values may have, such as `intent: 0.5`.",
    )
    min_language_share: dict[str, Share] = Field(
        default={},
        description="For a language (ISO 639-1), the least share of training rows that must be "
        "in it, such as `zh: 0.9`.",
    )
    max_age_hours: float | None = Field(
        default=None,
        gt=0,
        description="Age that the newest row of a batch may have. Needs rows with a time.",
    )
    expectations: tuple[ExpectationSection, ...] = Field(
        default=(),
        description="More expectations: `{on: training_examples, type: "
        "expect_column_values_to_match_regex, column: answer, regex: ..., severity: warning}`. "
        "`on` is raw_records, curated_examples, training_examples or evaluation_rows.",
    )


class DriftSection(Section):
    """How far new data may be from the data of the champion, and when a retrain is worth it."""

    enabled: bool = Field(
        default=True, description="Compare with the data that the champion was trained on."
    )
    psi: float = Field(
        default=0.25,
        gt=0,
        description="Population stability index from which lengths, languages or tags count as "
        "drifted. By convention 0.1 is a moderate shift and 0.25 a large one.",
    )
    vocabulary: float = Field(
        default=0.1,
        gt=0,
        le=1.0,
        description="Jensen-Shannon distance (0 to 1) from which the vocabulary counts as drifted.",
    )
    novelty: float = Field(
        default=0.15,
        gt=0,
        le=1.0,
        description="Drifted, if the share of token pairs that are new is this much above what "
        "one half of the champion's own data has that the other has not.",
    )
    on_drift: Literal["warn", "stop"] = Field(
        default="warn", description="warn: drift is reported. stop: it breaks the contract."
    )
    min_new_rows: int = Field(
        default=0, ge=0, description="With fewer new rows a retrain is skipped."
    )
    skip_below_novelty: Share = Field(
        default=0.0,
        description="A retrain is skipped if nothing drifted and a smaller share of token pairs "
        "than this is new. 0 never skips.",
    )
