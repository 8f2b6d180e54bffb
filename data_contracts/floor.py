"""What every contract demands, because Great Expectations passes without it.

Measured with 1.24: an empty suite, an empty frame, a column of nulls and a text of spaces or
zero-width characters all count as success.
"""

from __future__ import annotations

from collections.abc import Sequence

import great_expectations as gx
import great_expectations.expectations as gxe

from data_contracts.batch import Measures, Tally
from data_contracts.frame import NEVER_NULL, TEXTS
from data_contracts.groups import Groups, columns_of, type_of
from sluice.errors import ContractError


def refuse_empty(suite: gx.ExpectationSuite) -> None:
    """A contract that expects nothing passes everything.

    Raises:
        ContractError: the suite expects nothing.
    """
    if not suite.expectations:
        raise ContractError(
            f"{suite.name}: the contract expects nothing, so it would pass anything. "
            f"Put expectations into data_contracts/{suite.name}.py."
        )


def floor(groups: Groups, tally: Tally) -> tuple[list[gxe.Expectation], Measures]:
    """Expectations on the batch that every contract has, and the measures that they speak of.

    There are rows; no column that is named is null in every row, nor is a measure of the batch;
    no text is blank in every row. Rows of plain text ask nothing, so where no row does, the
    question is not judged.
    """
    texts = [t for t in TEXTS if t == "answer" or not tally.rows or _filled(tally, t)]
    nullable = [name for name in groups.row_columns if _may_be_null(name, groups)]
    measures: Measures = {
        "rows": tally.rows,
        **{f"filled_{name}": tally.filled[name] for name in nullable},
        **{f"filled_{text}": _filled(tally, text) for text in texts},
        **{f"seen_{text}": tally.most_visible[text] for text in texts},
    }
    filled = sorted({*nullable, *texts})
    return [
        _at_least_one("rows", "the batch is not empty"),
        *(_at_least_one(f"filled_{n}", f"{n} is not null in every row") for n in filled),
        *(_at_least_one(f"seen_{t}", f"the {t} is not blank in every row") for t in texts),
        *_known(groups.batch_columns),
    ], measures


def _may_be_null(name: str, groups: Groups) -> bool:
    """Whether a column can be null and should not be; measures of a text are as null as it is."""
    wanted_null = {
        column
        for one in groups.rows
        if type_of(one) == "expect_column_values_to_be_null"
        for column in columns_of(one)
    }
    return name not in NEVER_NULL | wanted_null and not name.startswith(("question_", "answer_"))


def _filled(tally: Tally, text: str) -> int:
    return tally.filled[f"{text}_visible_characters"]


def _known(names: Sequence[str]) -> list[gxe.Expectation]:
    return [
        gxe.ExpectColumnProportionOfNonNullValuesToBeBetween(
            column=name,
            min_value=1,
            description=f"{name} can be told: what it is measured on is there",
        )
        for name in names
    ]


def _at_least_one(name: str, says: str) -> gxe.Expectation:
    return gxe.ExpectColumnMaxToBeBetween(column=name, min_value=1, description=says)
