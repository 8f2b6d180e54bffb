"""Contracts on rows: what fails, what is quarantined, and that nothing passes vacuously."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import great_expectations as gx
import great_expectations.expectations as gxe
import pytest
from contracts.stored_rows import row, rows
from great_expectations.expectations.metadata_types import FailureSeverity

from data_contracts import parts as parts_module
from data_contracts.check import check_parts
from data_contracts.docs_page import write_docs
from data_contracts.frame import Outside
from data_contracts.raw_records import raw_records_suite
from data_contracts.validation import result_of
from data_contracts.verdict import Verdict, explain, verdict_on
from sluice.data.parts import part_name, parts_of, write_part
from sluice.data.record import Message, Record, table_of
from sluice.errors import ContractError
from sluice.recipe import ContractSection

WARNING = FailureSeverity.WARNING


@dataclass(frozen=True)
class Check:
    """Checks rows in a folder of its own, in parts of a given size."""

    folder: Path

    @property
    def docs(self) -> Path:
        return self.folder / "docs"

    def __call__(
        self,
        records: Sequence[Record],
        suite: gx.ExpectationSuite,
        share: float = 1.0,
        part_rows: int = 1000,
    ) -> Verdict:
        place = self.folder / "records"
        for old in place.glob("*"):
            old.unlink()
        for i in range(0, max(1, len(records)), part_rows):
            write_part(place / part_name(i), table_of(records[i : i + part_rows]))
        parts = parts_of([self.folder / "records"])
        (checked,) = check_parts(parts, [suite], Outside())
        verdict = verdict_on(checked, parts, share)
        write_docs(verdict, self.docs)
        return verdict

    def fails(self, *args: Any, **kwargs: Any) -> str:
        return explain([self(*args, **kwargs)], self.folder) or "it passed"


@pytest.fixture
def check(tmp_path: Path) -> Check:
    return Check(tmp_path)


def suite_of(*expectations: gxe.Expectation) -> gx.ExpectationSuite:
    return gx.ExpectationSuite(name="made_up", expectations=list(expectations))


def short(severity: FailureSeverity = FailureSeverity.CRITICAL, **more: Any) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeBetween(
        column="characters", max_value=50, severity=severity, description="rows are short", **more
    )


def quarantined(verdict: Verdict) -> list[int]:
    return verdict.checked.quarantined.tolist()


def test_an_empty_suite_fails(check: Check) -> None:
    with pytest.raises(ContractError, match="expects nothing"):
        check(rows(3), suite_of())


def test_an_empty_batch_fails_and_leaves_its_docs(check: Check) -> None:
    assert "the batch is not empty]: observed 0" in check.fails([], suite_of(short()))
    assert (check.docs / "index.html").exists()


@pytest.mark.parametrize("blank", ["", "  ", "\u3000", "\u200b\u200d\ufeff", "\u3164"])
@pytest.mark.parametrize("text", ["question", "answer"])
def test_texts_that_are_blank_in_every_row_fail(blank: str, text: str, check: Check) -> None:
    blanks = [row(**{text: blank}, line=i) for i in (1, 2)]
    said = check.fails(blanks, suite_of(short()))
    assert f"the {text} is not blank in every row" in said


def test_a_column_that_is_null_in_every_row_fails(check: Check) -> None:
    nothing = cast("str", None)
    nulls = [replace(r, messages=(r.messages[0], Message("assistant", nothing))) for r in rows(3)]
    assert "answer is not null in every row" in check.fails(nulls, suite_of(short()))
    suite = suite_of(gxe.ExpectColumnValuesToBeInSet(column="tag_intent", value_set=["a"]))
    assert "tag_intent is not null in every row" in check.fails(rows(3), suite)


def test_a_measure_that_cannot_be_told_fails(check: Check) -> None:
    suite = raw_records_suite(ContractSection(max_age_hours=24))
    assert "freshness_hours can be told" in check.fails(rows(3), suite)
    assert check(rows(3), raw_records_suite(ContractSection())).complaints == ()


def test_a_missing_column_fails_whatever_its_severity(check: Check) -> None:
    suite = suite_of(gxe.ExpectColumnValuesToNotBeNull(column="gone", severity=WARNING))
    said = check.fails(rows(3), suite)
    assert "(gone) could not be evaluated" in said
    assert '"gone"' in said


def test_a_result_with_an_exception_is_a_failure_even_if_it_says_success() -> None:
    flat = {"raised_exception": True, "exception_message": "boom"}
    for info in (flat, {"metric-1": {"raised_exception": False}, "metric-2": flat}):
        found = result_of(True, {}, info, columns_there=False)
        assert not found.success
        assert found.error == "boom"


def test_exactly_the_failing_rows_are_quarantined_with_what_they_broke(check: Check) -> None:
    records = rows(20)
    records[4] = row("Question 5?", "x" * 60, line=5)
    records[11] = row("问题？", "长" * 60, line=12)
    records[12] = records[11]  # equal rows are told apart by their position
    found = check(records, suite_of(short()))
    assert quarantined(found) == [4, 11, 12]
    assert found.summary["quarantined"] == 3
    (finding,) = [f for f in found.checked.findings if len(f.condemned)]
    assert finding.expectation == "expect_column_values_to_be_between(characters)"


def test_the_size_of_parts_and_chunks_changes_nothing(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [*rows(30), row(answer="x" * 60), row(answer="x" * 60), *rows(3)]
    suite = suite_of(
        short(),
        gxe.ExpectColumnValuesToBeBetween(column="repeated", max_value=0),
        gxe.ExpectColumnMeanToBeBetween(column="characters", max_value=40),
        gxe.ExpectColumnValuesToBeUnique(column="row_id", severity=WARNING),
        gxe.ExpectColumnMaxToBeBetween(column="characters_p95", max_value=500),
    )
    whole = check(records, suite)
    monkeypatch.setattr(parts_module, "CHUNK_ROWS", 8)
    for part_rows in (1, 3, 7):
        found = check(records, suite, part_rows=part_rows)
        assert found.summary == whole.summary
        assert quarantined(found) == quarantined(whole) == [30, 31, 32, 33, 34]


def test_of_rows_that_occur_twice_the_first_stays(check: Check) -> None:
    suite = suite_of(gxe.ExpectColumnValuesToBeBetween(column="repeated", max_value=0))
    found = check([*rows(4), *rows(2)], suite, part_rows=5)
    assert quarantined(found) == [4, 5]


def test_a_warning_is_reported_and_keeps_its_rows(check: Check) -> None:
    found = check([row(answer="x" * 60), *rows(3)], suite_of(short(WARNING)))
    assert quarantined(found) == []
    assert found.complaints == ()
    assert found.summary["warnings"] == 1


def test_mostly_is_about_the_batch_and_sets_no_row_aside(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [row(answer="x" * 60), *rows(9)]
    for chunk_rows in (200_000, 2):  # a chunk may fall short of the share: the batch counts
        monkeypatch.setattr(parts_module, "CHUNK_ROWS", chunk_rows)
        within = check(records, suite_of(short(mostly=0.9)), part_rows=2)
        assert (within.complaints, quarantined(within)) == ((), [])
        beyond = check(records, suite_of(short(mostly=0.95)), part_rows=2)
        assert "rows are short]: 1 rows" in beyond.complaints[0]
        assert quarantined(beyond) == []


def test_too_many_quarantined_rows_fail_the_batch_with_example_rows(check: Check) -> None:
    bad = [row(answer=f"{i}" * 60, line=i) for i in range(1, 8)]
    message = check.fails([*bad, *rows(3)], suite_of(short()), share=0.1)
    assert "7 of 10 rows (70.0%)" in message
    assert "expect_column_values_to_be_between(characters) [rows are short]: 7 rows" in message
    assert f"{bad[0].id} (jan.jsonl:1)" in message
    assert "jan.jsonl:5" in message
    assert "jan.jsonl:6" not in message
    assert "1" * 60 not in message


def test_a_batch_of_which_no_row_is_left_fails_whatever_the_share(check: Check) -> None:
    bad = [row(answer="x" * 60), row(answer="y" * 60)]
    assert "2 of 2 rows" in check.fails(bad, suite_of(short()))


def test_a_failed_batch_expectation_fails_the_batch_with_the_observed_value(check: Check) -> None:
    suite = suite_of(gxe.ExpectColumnMaxToBeBetween(column="rows", min_value=50))
    said = check.fails(rows(3), suite)
    assert "expect_column_max_to_be_between(rows): observed 3" in said


def test_a_suite_can_be_run_again(check: Check) -> None:
    suite = raw_records_suite(ContractSection())
    assert check(rows(3), suite).summary == check(rows(3), suite).summary


CALLS = ("user", "assistant", "tool", "tool", "assistant", "user", "assistant")


@pytest.mark.parametrize(
    "roles",
    [("user",), ("assistant", "user"), ("user", "user", "assistant"), ("system", "assistant"), ()],
)
def test_a_raw_row_whose_roles_do_not_alternate_is_quarantined(
    roles: tuple[Any, ...], check: Check
) -> None:
    odd = replace(row(), messages=tuple(Message(role, "text") for role in roles))
    found = check([*rows(5), odd], raw_records_suite(ContractSection()))
    assert quarantined(found) == [5]


@pytest.mark.parametrize(
    "roles",
    [("system", "user", "assistant", "user", "assistant"), CALLS, ("assistant",)],
)
def test_raw_rows_of_several_turns_tool_calls_or_plain_text_pass(
    roles: tuple[Any, ...], check: Check
) -> None:
    long = replace(row(), messages=tuple(Message(role, f"text {role}") for role in roles))
    found = check([*rows(5), long], raw_records_suite(ContractSection()))
    assert quarantined(found) == []


def test_a_batch_of_plain_text_asks_nothing_and_passes(check: Check) -> None:
    texts = [replace(r, messages=r.messages[1:]) for r in rows(5)]
    assert check(texts, raw_records_suite(ContractSection())).complaints == ()


def test_a_raw_row_with_a_null_or_no_origin_is_quarantined(check: Check) -> None:
    odd: list[Record] = [
        replace(row(), messages=(Message("user", "a?"), Message("assistant", cast("str", None)))),
        replace(row(), messages=(Message("user", cast("str", None)), Message("assistant", "b"))),
        replace(row(), source=cast("str", None)),
        replace(row(), line=0),
        replace(row(), id="not a digest"),
    ]
    found = check([*rows(5), *odd], raw_records_suite(ContractSection()))
    assert quarantined(found) == [5, 6, 7, 8, 9]


def test_a_blank_raw_answer_is_left_to_cleaning(check: Check) -> None:
    found = check([*rows(5), row(answer="\u3000")], raw_records_suite(ContractSection()))
    assert quarantined(found) == []
    assert found.summary["warnings"] == 1


def test_too_many_blank_answers_stop_a_raw_batch(check: Check) -> None:
    records = [*rows(6), *(row(answer="", line=i) for i in range(7, 12))]
    said = check.fails(records, raw_records_suite(ContractSection()))
    assert "contract.max_blank_share" in said
    assert "0.454" in said
