"""The splitting step over the lake: sides, reserve, and nothing that copies a row judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.data.compute import ThisProcess
from sluice.data.curated import split_step
from sluice.data.held_out import HeldOut
from sluice.data.outcomes import HELD_OUT, Gone, gone_of
from sluice.data.parts import iterate, read_records
from sluice.data.record import Record
from sluice.errors import BatchError
from sluice.lake import Lake
from sluice.recipe import DataSection, Recipe
from sluice.refs import DatasetRef
from tests.unit.data.rows import recipe, row, stored, text

NOBODY = HeldOut((), (), ())
SIDES = ("train", "validation", "evaluation")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def shares(**values: Any) -> Recipe:
    return recipe(data=DataSection(**{"evaluation_share": 0.3, "validation_share": 0.2, **values}))


def split(
    lake: Lake, rows: Sequence[Record], settings: Recipe, held_out: HeldOut = NOBODY
) -> DatasetRef:
    """Split the rows that comparing has left."""
    compared = stored(lake, *rows, area="compared", side="kept")
    curated = split_step(compared, held_out, settings, lake, ThisProcess())
    lake.verify(curated)
    return curated


def rows_of(lake: Lake, ref: DatasetRef, side: str) -> list[Record]:
    return read_records(lake.path(ref) / side)


def gone(lake: Lake, ref: DatasetRef) -> list[Gone]:
    return [one for table in iterate(lake.path(ref) / "gone") for one in gone_of(table)]


def sides(lake: Lake, ref: DatasetRef) -> dict[int, str]:
    """For each line the side it is on, or the reason why it is on none."""
    found = {row.line: side for side in SIDES for row in rows_of(lake, ref, side)}
    away = {one.record.line: one.reason for one in gone(lake, ref)}
    assert not set(found) & set(away)
    return {**found, **away}


def unlike(first: int, last: int) -> list[Record]:
    """Rows that have nothing in common, on these lines."""
    return [
        row(
            f"tent{i} size{i} in colour{i}?",
            f"tent{i} costs{i} and weighs{i} about kilo{i} for model{i}.",
            line=i,
        )
        for i in range(first, last + 1)
    ]


def test_every_row_is_on_one_side_and_the_manifest_counts_them(lake: Lake) -> None:
    curated = split(lake, unlike(1, 200), shares())
    found = sides(lake, curated)
    assert sorted(found) == list(range(1, 201))
    facts = lake.manifest(curated)
    for side in SIDES:
        assert list(found.values()).count(side) == facts[side]
    assert curated.rows == facts["train"]
    assert facts["evaluation"] == facts["chosen"]
    assert facts["held_out"] == 0
    assert facts["gone"] == {}


def test_rows_over_the_bound_stay_in_reserve_and_are_never_trained_on(lake: Lake) -> None:
    rows = unlike(1, 200)
    few = split(lake, rows, shares(max_evaluation_rows=10))
    many = split(lake, rows, shares())
    chosen = {line for line, side in sides(lake, few).items() if side == "evaluation"}
    reserve = {line for line, side in sides(lake, few).items() if side == "evaluation_reserve"}
    assert len(chosen) == 10
    assert chosen | reserve == {i for i, side in sides(lake, many).items() if side == "evaluation"}
    assert {one.fate for one in gone(lake, few)} == {"dropped"}
    assert lake.manifest(few)["gone"] == {"evaluation_reserve": len(reserve)}


def test_rows_stay_on_their_side_when_more_rows_come(lake: Lake) -> None:
    settings = shares(max_evaluation_rows=10)
    before = sides(lake, split(lake, unlike(1, 100), settings))
    after = sides(lake, split(lake, unlike(1, 300), settings))
    for line, side in before.items():
        if side in ("train", "validation"):
            assert after[line] == side
        else:
            assert after[line] in ("evaluation", "evaluation_reserve")
    assert list(after.values()).count("evaluation") == 10


def test_the_bound_holds_where_many_rows_end_with_one_question(lake: Lake) -> None:
    rows = [
        *unlike(1, 20),
        *(row("go on", f"chapter{i} tells{i} of{i} hills{i}", line=i) for i in range(100, 140)),
    ]
    for most in range(1, 9):
        curated = split(lake, rows, shares(max_evaluation_rows=most, evaluation_share=0.49))
        assert lake.manifest(curated)["chosen"] <= most


def test_copies_of_a_chosen_row_leave_training_and_say_whose_copy_they_are(lake: Lake) -> None:
    rows = unlike(1, 60)
    chosen = rows_of(lake, split(lake, rows, shares()), "evaluation")
    copies = [
        row(f"Tell me: {r.question}", f"Sold out, as of week{r.line}.", line=1000 + r.line)
        for r in chosen
    ]
    curated = split(lake, [*rows, *copies], shares())
    judged = rows_of(lake, curated, "evaluation")
    assert {r.line for r in chosen} <= {r.line for r in judged}
    away = gone(lake, curated)
    assert away
    for one in away:
        assert (one.fate, one.reason) == ("dropped", "near_evaluation_question")
        assert one.record.line > 1000
        assert one.detail.split()[0] in {r.id for r in judged}
    trained = {r.line for side in ("train", "validation") for r in rows_of(lake, curated, side)}
    assert not {1000 + r.line for r in chosen} & trained


def test_the_held_out_file_comes_first_and_what_cleaning_took_of_it_is_kept_beside(
    lake: Lake,
) -> None:
    held_out = row("Held out?", "A row of the file.", source=f"{HELD_OUT}e.jsonl", line=900)
    spoilt = Gone(replace(held_out, line=901), "dropped", "answer_too_short", "")
    settings = recipe(
        data=DataSection(evaluation=Path("e.jsonl"), evaluation_share=0.2, validation_share=0)
    )
    curated = split(lake, unlike(1, 50), settings, HeldOut((held_out,), (), (spoilt,)))
    judged = rows_of(lake, curated, "evaluation")
    assert judged[0] == held_out
    assert len(judged) > 1
    facts = lake.manifest(curated)
    assert (facts["held_out"], facts["chosen"]) == (1, len(judged) - 1)
    assert facts["held_out_gone"] == 1
    assert facts["gone"] == {}, "rows of the held-out file did not come in"
    assert gone(lake, curated) == [spoilt]


def test_without_a_share_only_the_held_out_file_is_judged_by(lake: Lake) -> None:
    held_out = HeldOut((row("Held out?", "A row of the file.", line=900),), (), ())
    curated = split(lake, unlike(1, 50), shares(evaluation="e.jsonl", evaluation_share=0), held_out)
    assert [r.line for r in rows_of(lake, curated, "evaluation")] == [900]
    assert lake.manifest(curated)["chosen"] == 0


def test_plain_text_is_split_too_and_copies_of_a_chosen_text_leave(lake: Lake) -> None:
    rows = [text(f"tent{i} size{i} is{i} of{i} colour{i} and kind{i}.", line=i) for i in range(60)]
    curated = split(lake, rows, shares())
    assert lake.manifest(curated)["gone"] == {}, "that nobody asks anything makes no copy"
    (first, *_) = rows_of(lake, curated, "evaluation")
    copies = [text(f"{first.answer} So it is{i}.", line=1000 + i) for i in range(8)]
    found = sides(lake, split(lake, [*rows, *copies], shares()))
    assert {found[copy.line] for copy in copies} <= {"near_evaluation_answer", "evaluation"}


def test_the_same_input_gives_the_same_digest_in_another_lake(tmp_path: Path) -> None:
    one, two = Lake(tmp_path / "one"), Lake(tmp_path / "two")
    assert split(one, unlike(1, 30), shares()) == split(two, unlike(1, 30), shares())


def test_other_held_out_rows_give_another_split(lake: Lake) -> None:
    digests = {
        split(
            lake,
            unlike(1, 30),
            shares(),
            HeldOut((row(question, "Yes, we do that.", line=900),), (), ()),
        ).digest
        for question in ("Do you repair zips?", "Do you wash tents?")
    }
    assert len(digests) == 2


def test_a_side_without_rows_stops_the_run_each_time(lake: Lake) -> None:
    held_out = HeldOut((row(),), (), ())
    for _ in range(2):
        with pytest.raises(BatchError, match="No row is left to train on: 0 are kept"):
            split(lake, [], shares(), held_out)
        with pytest.raises(BatchError, match=r"No row is left to evaluate on .*Raise the share"):
            split(lake, [row()], shares(evaluation_share=1e-9, validation_share=0))
