"""Released copies: the first copy of a row makes room for the one that a person has sent back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from sluice.data.comparison import Comparison
from sluice.data.compute import ThisProcess
from sluice.data.grouping import read_table
from sluice.data.parts import part_name, parts_of, write_part
from sluice.data.record import Record, table_of
from sluice.data.superseded import superseded
from tests.unit.data.rows import row

FIRST = row("When is it open?", "From 9 to 5.", line=7)
OTHER = row("Where is it?", "In Leeds.", line=8)


def copy_of(first: Record, answer: str, line: int = 1, source: str = "released/x.jsonl") -> Record:
    """A row that a person has sent back with this answer."""
    return row(
        first.question,
        answer,
        source=source,
        line=line,
        released="conflicting_answers",
        released_from=f"{first.source}:{first.line}",
        released_id=first.id,
    )


def gone(folder: Path, *parts: Sequence[Record]) -> dict[int, tuple[str, str]]:
    """Row number -> reason and detail."""
    for number, rows in enumerate(parts):
        write_part(folder / "rows" / part_name(number), table_of(rows))
    comparison = Comparison(ThisProcess(), folder, parts_of([folder / "rows"]))
    found = [row for path in superseded(comparison) for row in read_table(path).to_pylist()]
    assert {one["fate"] for one in found} <= {"dropped"}
    return {one["row"]: (one["reason"], one["detail"]) for one in found}


@pytest.mark.parametrize("answer", [FIRST.answer, "From 9 to 6, as it was mended."])
def test_the_first_copy_goes_wherever_the_other_lies(tmp_path: Path, answer: str) -> None:
    sent_back = copy_of(FIRST, answer)
    told = ("released_copy", "released/x.jsonl:1")
    assert gone(tmp_path / "before", [FIRST, OTHER], [sent_back]) == {0: told}
    assert gone(tmp_path / "after", [sent_back], [OTHER], [OTHER, FIRST]) == {3: told}
    assert gone(tmp_path / "beside", [sent_back, FIRST]) == {1: told}


def test_a_row_that_came_to_lie_there_since_is_another_row(tmp_path: Path) -> None:
    changed = row(FIRST.question, "By now from 10 to 6.", line=FIRST.line)
    assert gone(tmp_path, [changed, OTHER], [copy_of(FIRST, "From 9 to 5.")]) == {}


def test_only_a_release_takes_the_place_of_a_row(tmp_path: Path) -> None:
    pretended = copy_of(FIRST, "From 9 to 5.", source="feb.jsonl")
    assert gone(tmp_path / "other", [FIRST], [pretended]) == {}
    assert gone(tmp_path / "none", [FIRST, OTHER]) == {}
    assert gone(tmp_path / "empty", []) == {}


def test_a_copy_that_was_set_aside_and_sent_back_again_makes_room_too(tmp_path: Path) -> None:
    once = copy_of(FIRST, "From 9 to 6.")
    twice = copy_of(once, "From 9 to 7.", source="released/y.jsonl")
    assert gone(tmp_path, [FIRST], [once, twice]) == {
        0: ("released_copy", "released/x.jsonl:1"),
        1: ("released_copy", "released/y.jsonl:1"),
    }
