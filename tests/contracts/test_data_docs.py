"""Data Docs of a run: they load nothing from elsewhere, and quote no row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from contracts.stored_rows import recipe, row, rows, stored, word_tokenizer

from data_contracts.steps import raw_contract_step, training_contract_step
from sluice.errors import ContractError
from sluice.lake import Lake
from sluice.recipe import ContractSection

EMAIL = "jane.roe@example.com"
SECRET = "sk-live-4242abcdEFGH"  # made up
# Each of these has the planted values in its results, if it is asked for all it found.
QUOTING: tuple[dict[str, Any], ...] = (
    {"type": "expect_column_values_to_match_regex", "column": "answer", "regex": "^Answer"},
    {"type": "expect_column_values_to_be_in_set", "column": "question", "value_set": ["a"]},
    {"type": "expect_column_distinct_values_to_be_in_set", "column": "answer", "value_set": ["a"]},
    {"type": "expect_column_most_common_value_to_be_in_set", "column": "answer",
     "value_set": ["a"]},
    {"type": "expect_column_max_to_be_between", "column": "answer", "max_value": 3},
    {"type": "expect_column_mean_to_be_between", "column": "answer", "max_value": 3},
    {"type": "expect_column_values_to_be_unique", "column": "answer"},
    {"type": "expect_compound_columns_to_be_unique", "column_list": ["question", "answer"]},
    {"type": "expect_column_pair_values_to_be_equal", "column_A": "question", "column_B": "answer"},
    {"type": "expect_column_values_to_be_in_set", "column": "tag_contributor", "value_set": ["a"]},
)  # fmt: skip


def quoting(on: str) -> list[Any]:
    return [{"on": on, "severity": "warning", **expectation} for expectation in QUOTING]


def everything_in(folder: Path) -> str:
    files = [file for file in folder.rglob("*") if file.suffix in {".html", ".json"}]
    assert files
    return "".join(file.read_text(encoding="utf-8") for file in files)


def test_no_page_and_no_verdict_quotes_a_private_value(tmp_path: Path) -> None:
    lake, docs = Lake(tmp_path / "lake"), tmp_path / "docs"
    # Twice, so that they are the most frequent value and not unique either.
    private = [
        row("Who?", f"Write to {EMAIL}, {SECRET}", line=i, tags=(("contributor", EMAIL),))
        for i in (1, 2)
    ]
    records = [*private, *rows(3)]
    contract = ContractSection(min_rows=1, expectations=quoting("raw_records"))
    with pytest.raises(ContractError) as caught:
        raw_contract_step(stored(lake, records=records), recipe(contract=contract), lake, docs)
    told = str(caught.value) + everything_in(docs)
    assert EMAIL not in told
    assert SECRET not in told
    assert private[0].id in told
    verdict = json.loads(next(docs.rglob("contract.json")).read_text(encoding="utf-8"))
    failed = [one for one in verdict["expectations"] if not one["success"]]
    assert len(failed) >= len(QUOTING)  # so it was not for want of failures


def test_nor_do_the_later_contracts(tmp_path: Path) -> None:
    lake, docs = Lake(tmp_path / "lake"), tmp_path / "docs"
    private = [row("Who?", f"Write to {EMAIL}, {SECRET}.", tags=(("contributor", EMAIL),))]
    given = stored(lake, train=[*private, *rows(9)], validation=[], evaluation=private)
    contract = ContractSection(
        min_rows=1,
        expectations=[q for on in ("curated_examples", "evaluation_rows") for q in quoting(on)],
    )
    with pytest.raises(ContractError) as caught:
        training_contract_step(
            given, recipe(contract=contract), lake, word_tokenizer(tmp_path), docs
        )
    told = str(caught.value) + everything_in(docs)
    assert EMAIL not in told
    assert SECRET not in told


def test_pages_show_the_result_and_load_nothing(tmp_path: Path) -> None:
    lake, docs = Lake(tmp_path / "lake"), tmp_path / "docs"
    records = [*rows(20), row(answer=" ", line=33)]
    raw_contract_step(stored(lake, records=records), recipe(), lake, docs)
    page = (docs / "raw_records" / "index.html").read_text(encoding="utf-8")
    assert "the answer is not blank" in page
    assert f"{records[-1].id} (jan.jsonl:33)" in page
    for file in docs.rglob("*.html"):
        text = file.read_text(encoding="utf-8")
        assert "<script" not in text
        assert 'src="http' not in text
        assert "url('http" not in text
        assert "stylesheet" not in text
    assert sum(file.stat().st_size for file in docs.rglob("*")) < 1_000_000


def test_several_batches_have_a_page_each_and_one_that_lists_them(tmp_path: Path) -> None:
    lake, docs = Lake(tmp_path / "lake"), tmp_path / "docs"
    batches = [stored(lake, records=rows(count)) for count in (4, 6)]
    for batch in batches:
        raw_contract_step(batch, recipe(), lake, docs)
    index = (docs / "raw_records" / "index.html").read_text(encoding="utf-8")
    for batch in batches:
        assert f'href="{batch.digest[:12]}/index.html"' in index
        assert (docs / "raw_records" / batch.digest[:12] / "index.html").exists()
