"""Checking rows: exactly the bad rows are quarantined, and what Great Expectations lets through
by default fails here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import great_expectations as gx
import great_expectations.expectations as gxe
import pytest
from great_expectations.expectations.metadata_types import FailureSeverity

from data_contracts.check import Checked, check_rows
from data_contracts.findings import finding_of
from data_contracts.raw_records import raw_records_suite
from sluice.data.record import Message, Record
from sluice.errors import ContractError
from sluice.recipe import ContractSection
from tests.unit.data.rows import row

LENIENT = ContractSection(max_quarantined_share=1.0)


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return tmp_path / "docs"


def rows(count: int) -> list[Record]:
    return [row(f"Question {i}?", f"Answer {i}.", line=i) for i in range(1, count + 1)]


def suite_of(*expectations: gxe.Expectation) -> gx.ExpectationSuite:
    return gx.ExpectationSuite(name="made_up", expectations=list(expectations))


def check(
    records: list[Record],
    suite: gx.ExpectationSuite,
    docs: Path,
    contract: ContractSection = LENIENT,
    **extra: list[Any],
) -> Checked:
    return check_rows(records, suite, contract=contract, docs_folder=docs, extra=extra)


def not_null() -> gxe.Expectation:
    return gxe.ExpectColumnValuesToNotBeNull(column="answer")


def short(severity: FailureSeverity = FailureSeverity.CRITICAL) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column="characters", max_value=50, severity=severity, description="rows are short"
    )


def test_an_empty_suite_fails(docs: Path) -> None:
    with pytest.raises(ContractError, match="expects nothing"):
        check(rows(3), suite_of(), docs)


def test_an_empty_batch_fails_and_leaves_its_docs(docs: Path) -> None:
    with pytest.raises(ContractError, match=r"the batch is not empty.*observed 0"):
        check([], suite_of(short()), docs)
    assert (docs / "index.html").exists()


@pytest.mark.parametrize("blank", ["", "  ", "\u3000", "\u200b\u200d\ufeff", "\u3164"])
@pytest.mark.parametrize("text", ["question", "answer"])
def test_texts_that_are_blank_in_every_row_fail(blank: str, text: str, docs: Path) -> None:
    blanks = [row(**{text: blank}, line=i) for i in (1, 2)]
    with pytest.raises(ContractError, match=f"the {text} is not blank in every row"):
        check(blanks, suite_of(short()), docs)


def test_a_column_that_is_null_in_every_row_fails(docs: Path) -> None:
    nothing = cast("str", None)
    nulls = [replace(r, messages=(r.messages[0], Message("assistant", nothing))) for r in rows(3)]
    with pytest.raises(ContractError, match="answer is not null in every row"):
        check(nulls, suite_of(short()), docs)
    suite = suite_of(gxe.ExpectColumnValuesToBeBetween(column="score", min_value=0))
    with pytest.raises(ContractError, match="score is not null in every row"):
        check(rows(3), suite, docs, score=[None, None, None])


def test_a_missing_column_fails_whatever_its_severity(docs: Path) -> None:
    suite = suite_of(
        gxe.ExpectColumnValuesToNotBeNull(column="gone", severity=FailureSeverity.WARNING)
    )
    with pytest.raises(ContractError, match=r"\(gone\).*could not be evaluated"):
        check(rows(3), suite, docs)


def test_a_result_with_an_exception_is_a_failure_even_if_it_says_success() -> None:
    flat = {"raised_exception": True, "exception_message": "boom"}
    for info in (flat, {"metric-1": {"raised_exception": False}, "metric-2": flat}):
        config = {"type": "expect_x", "kwargs": {"column": "a"}, "severity": "warning"}
        found = finding_of(
            {"success": True, "expectation_config": config, "result": {}, "exception_info": info}
        )
        assert not found.success
        assert found.fails_the_batch


def test_exactly_the_failing_rows_are_quarantined_with_what_they_broke(docs: Path) -> None:
    records = rows(20)
    records[4] = row("Question 5?", "x" * 60, line=5)
    records[11] = row("问题？", "长" * 60, line=12)
    records[12] = records[11]  # equal rows are told apart by their position
    result = check(records, suite_of(short(), not_null()), docs)
    assert [q.position for q in result.quarantined] == [4, 11, 12]
    assert {q.expectations for q in result.quarantined} == {
        ("expect_column_values_to_be_between(characters)",)
    }
    assert result.kept == tuple(r for i, r in enumerate(records) if i not in {4, 11, 12})
    assert result.summary["quarantined"] == 3


def test_a_warning_is_reported_and_keeps_its_rows(docs: Path) -> None:
    records = [row(answer="x" * 60), *rows(3)]
    result = check(records, suite_of(short(FailureSeverity.WARNING)), docs)
    assert result.kept == tuple(records)
    assert result.summary["warnings"] == 1


def test_too_many_quarantined_rows_fail_the_batch_with_example_rows(docs: Path) -> None:
    bad = [row(answer=f"{i}" * 60, line=i) for i in range(1, 8)]
    with pytest.raises(ContractError) as caught:
        check([*bad, *rows(3)], suite_of(short()), docs, ContractSection())
    message = str(caught.value)
    assert "7 of 10 rows (70.0%)" in message
    assert "expect_column_values_to_be_between(characters) [rows are short]: 7 rows" in message
    assert f"{bad[0].id} (jan.jsonl:1)" in message
    assert "jan.jsonl:5" in message
    assert "jan.jsonl:6" not in message
    assert "1" * 60 not in message
    verdict = json.loads((docs / "contract.json").read_text(encoding="utf-8"))
    assert verdict["success"] is False


def test_a_batch_of_which_no_row_is_left_fails_whatever_the_share(docs: Path) -> None:
    with pytest.raises(ContractError, match="2 of 2 rows"):
        check([row(answer="x" * 60), row(answer="y" * 60)], suite_of(short()), docs)


def test_a_failed_table_expectation_fails_the_batch_with_the_observed_value(docs: Path) -> None:
    suite = suite_of(gxe.ExpectTableRowCountToBeBetween(min_value=50))
    with pytest.raises(ContractError, match="expect_table_row_count_to_be_between: observed 3"):
        check(rows(3), suite, docs)


def test_a_suite_can_be_run_again(docs: Path) -> None:
    suite = raw_records_suite()
    assert check(rows(3), suite, docs).summary == check(rows(3), suite, docs).summary


@pytest.mark.parametrize(
    "roles",
    [("user",), ("assistant", "user"), ("user", "user", "assistant"), ("system", "assistant"), ()],
)
def test_a_raw_row_whose_roles_do_not_alternate_is_quarantined(
    roles: tuple[Any, ...], docs: Path
) -> None:
    odd = replace(row(), messages=tuple(Message(role, "text") for role in roles))
    result = check([*rows(5), odd], raw_records_suite(), docs)
    assert [q.position for q in result.quarantined] == [5]


def test_raw_rows_of_several_turns_and_with_a_system_message_pass(docs: Path) -> None:
    roles: tuple[Any, ...] = ("system", "user", "assistant", "user", "assistant")
    long = replace(row(), messages=tuple(Message(role, f"text {role}") for role in roles))
    assert check([*rows(5), long], raw_records_suite(), docs).quarantined == ()


def test_a_raw_row_with_a_null_a_number_or_no_origin_is_quarantined(docs: Path) -> None:
    odd: list[Record] = [
        replace(row(), messages=(Message("user", "a?"), Message("assistant", cast("str", None)))),
        replace(row(), messages=(Message("user", cast("str", 7)), Message("assistant", "b"))),
        replace(row(), source=cast("str", None)),
        replace(row(), line=0),
        replace(row(), id="not a digest"),
    ]
    result = check([*rows(5), *odd], raw_records_suite(), docs)
    assert [q.position for q in result.quarantined] == [5, 6, 7, 8, 9]


def test_a_blank_raw_answer_is_left_to_cleaning(docs: Path) -> None:
    result = check([*rows(5), row(answer="\u3000")], raw_records_suite(), docs)
    assert result.quarantined == ()
    assert result.summary["warnings"] == 1


def test_data_docs_show_the_result_load_nothing_and_quote_no_text(docs: Path) -> None:
    secret = row(answer="call 555-0123 " * 10)
    check([*rows(20), secret], suite_of(short()), docs)
    page = (docs / "index.html").read_text(encoding="utf-8")
    assert "rows are short" in page
    assert secret.id in page
    for file in docs.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert "555-0123" not in text
        assert "<script" not in text
        assert 'src="http' not in text
        assert "url('http" not in text
        assert "stylesheet" not in text
    assert sum(file.stat().st_size for file in docs.rglob("*")) < 1_000_000
