"""Measures of a batch: the same as over all rows at once, however they lie in parts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis.strategies as st
import numpy as np
import pytest
from contracts.stored_rows import row
from hypothesis import given, settings

from data_contracts.batch import batch_frame, drop_measures
from data_contracts.check import check_parts
from data_contracts.frame import Outside
from data_contracts.parts import repeats_in
from data_contracts.raw_records import raw_records_suite
from sluice.data.parts import part_name, parts_of, write_part
from sluice.data.record import table_of
from sluice.recipe import ContractSection

ANSWERS = st.lists(st.text("ab ", max_size=9), min_size=1, max_size=12)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abcd"), max_size=30), st.integers(1, 7))
def test_a_row_repeats_if_an_earlier_one_has_its_id(letters: list[str], size: int) -> None:
    records = [row(letter, letter) for letter in letters]
    with TemporaryDirectory() as folder:
        for i in range(0, len(records), size):
            write_part(Path(folder, "records", part_name(i)), table_of(records[i : i + size]))
        found = repeats_in(parts_of([Path(folder) / "records"])).tolist()
    assert found == [letter in letters[:i] for i, letter in enumerate(letters)]


@settings(max_examples=12, deadline=None)
@given(ANSWERS, st.integers(1, 5))
def test_shares_and_quantiles_are_those_of_all_rows(answers: list[str], size: int) -> None:
    records = [
        row("q", text, line=i, tags=(("intent", text[:1]),)) for i, text in enumerate(answers, 1)
    ]
    with TemporaryDirectory() as folder:
        for i in range(0, len(records), size):
            write_part(Path(folder, "records", part_name(i)), table_of(records[i : i + size]))
        parts = parts_of([Path(folder) / "records"])
        (checked,) = check_parts(parts, [raw_records_suite(ContractSection())], Outside())
    found, count = checked.measures, len(answers)
    lengths = [len(text) + 1 for text in answers]
    for name, share in (("p05", 0.05), ("p50", 0.5), ("p95", 0.95), ("max", 1.0)):
        expected = np.quantile(lengths, share, method="inverted_cdf")
        assert found[f"characters_{name}"] == expected
    assert found["rows"] == count
    blank = sum(not text.strip() for text in answers)
    assert found["answer_blank_share"] == pytest.approx(blank / count, abs=1e-6)
    (_, most), *_ = Counter(text[:1] for text in answers).most_common(1)
    assert found["tag_intent_largest_share"] == pytest.approx(most / count, abs=1e-6)
    assert found["language_share_unknown"] == 1


def test_duplicates_are_counted_apart_from_other_drops() -> None:
    facts = {"rows_in": 200, "gone": {"near_duplicate": 20, "exact_duplicate": 30, "html": 5}}
    found = drop_measures(facts)
    assert (found["drop_share"], found["duplicate_share"]) == (0.025, 0.25)
    assert found["drop_share_html"] == 0.025
    assert drop_measures({}) == drop_measures({"rows_in": 0, "gone": {}}) == {}


def test_what_did_not_occur_has_no_share_and_what_is_not_known_is_null() -> None:
    frame = batch_frame({"rows": 3}, ["rows", "language_share_de", "drop_share_x", "tokens_p50"])
    assert frame["rows"].tolist() == [3]
    assert frame["language_share_de"].tolist() == frame["drop_share_x"].tolist() == [0.0]
    assert frame["tokens_p50"].isna().all()
