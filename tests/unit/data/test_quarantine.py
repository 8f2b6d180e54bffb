"""Quarantine: rows are found, mended and sent back, and then they train the model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from data_contracts.preparation import Preparation
from sluice.data.funnel import Trail
from sluice.data.ingest import ingest_new
from sluice.data.intake.live import live_batches
from sluice.data.outcomes import Gone
from sluice.data.parts import read_records
from sluice.data.quarantine import (
    RELEASE_TAGS,
    Release,
    find,
    mended,
    quarantined,
    release,
    released_from,
    shown,
)
from sluice.data.record import Message, Record, content_id, table_of
from sluice.errors import BatchError
from sluice.freshness import data_of, shelves_of
from sluice.home import Home
from sluice.recipe import ContractSection, Recipe
from sluice.recipe.expectations import ExpectationSection
from tests.unit.data.preparing import LENIENT, any_recipe
from tests.unit.data.rows import alpaca, distinct_lines, row, write_lines

pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations

ANN = Release("ann", "she asked the shop")
HOURS = [
    alpaca("When is it open?", "From 9 to 5, all week."),
    alpaca("When is it open?", "From 10 to 6, all week."),
]
KEY = alpaca("Which key opens the shed?", "It is AKIAIOSFODNN7EXAMPLE, as always.")


@dataclass
class Shop:
    """A home in which runs prepare what has landed and what was released."""

    home: Home
    recipe: Recipe

    def run(self) -> Trail:
        """One run over all that is there."""
        lake, data = self.home.lake, data_of(self.home, self.recipe)
        steps = Preparation(self.recipe, self.home.root, lake, self.home.root / "docs", None)
        shelves = shelves_of(self.home, self.recipe)
        intake = ingest_new(lake, data, shelves, steps.engine, settle_seconds=0)
        assert not intake.refused, intake.refused
        return steps.whole(live_batches(lake, data, datetime.now(UTC)))

    def waiting(self, trail: Trail) -> list[Gone]:
        refs = (*trail.checked, *trail.cleaned, trail.compared, trail.curated, trail.contracted)
        return list(quarantined(refs, self.home.lake))

    def kept(self, trail: Trail) -> list[Record]:
        folder = self.home.lake.path(trail.contracted)
        sides = ("train", "validation", "evaluation")
        return [record for side in sides for record in read_records(folder / side)]

    def sources(self, trail: Trail, question: str) -> list[str]:
        """Where the rows with this question come from that are kept."""
        return [r.source.split("/")[0] for r in self.kept(trail) if r.question == question]


def opened(tmp_path: Path, *lines: str, file: str = "jan.jsonl", **sections: Any) -> Shop:
    home = Home(tmp_path / "home")
    write_lines(home.landing / file, *distinct_lines(20), *lines)
    return Shop(home, any_recipe(**sections))


def gone(record: Record, reason: str = "conflicting_answers") -> Gone:
    return Gone(record, "quarantined", reason, "why")


# Finding, showing and mending


def test_rows_are_found_by_the_beginning_of_their_id_in_the_order_that_was_asked_for() -> None:
    rows = [gone(Record(id, row().messages, "jan.jsonl", 1)) for id in ("ab12", "ab34", "cd56")]
    assert [one.record.id for one in find(rows, ["cd", "ab1"])] == ["cd56", "ab12"]
    with pytest.raises(BatchError, match=r"2 quarantined rows .* begins with 'ab'.*list"):
        find(rows, ["ab"])
    with pytest.raises(BatchError, match="0 quarantined rows"):
        find(rows, ["ef"])
    assert find(rows, []) == []


def test_a_row_is_shown_with_all_that_its_messages_hold_and_mended_with_what_a_person_wrote() -> (
    None
):
    call = Message("assistant", "", '{"tool_calls":[{"function":{"name":"stock"}}]}')
    record = Record("ab" * 8, (Message("user", "Any left?"), call), "jan.jsonl", 7)
    fields = shown(gone(record))
    assert (fields["id"], fields["source"], fields["line"]) == ("ab" * 8, "jan.jsonl", 7)
    assert fields["messages"][1]["tool_calls"] == [{"function": {"name": "stock"}}]
    fields = shown(gone(row(line=7)))
    fields["messages"][1]["content"] = "From 9 to 6."
    better = mended(gone(row(line=7)), fields)
    assert better.record.answer == "From 9 to 6."
    assert (better.record.id, better.record.line) == (row().id, 7)


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ("text", "must be a list of objects"),
        ([{"role": "user"}], "must be a list of objects"),
        ([], "the last message must be the assistant's"),
        ([{"role": "user", "content": "Hello?"}], "the last message must be the assistant's"),
    ],
)
def test_what_is_no_conversation_is_not_taken_back(messages: Any, says: str) -> None:
    with pytest.raises(BatchError, match=f"Row {row().id}.*{says}"):
        mended(gone(row()), {"messages": messages})


# Releasing


def test_a_release_is_a_file_that_says_who_and_why(tmp_path: Path) -> None:
    record = Record(
        content_id(row().messages),
        row().messages,
        "jan.jsonl",
        7,
        (("intent", "hours"), ("released", "an older reason")),
        None,
        "2026-09-01T00:00:00+00:00",
        '[{"name":"stock"}]',
    )
    path = release([gone(record), gone(row("帐篷？", "有的，五种尺寸。"))], ANN, tmp_path / "rel")
    assert [p.name for p in (tmp_path / "rel").iterdir()] == [path.name], "nothing half written"
    first, second = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    assert first == {
        "messages": [
            {"role": "user", "content": row().question},
            {"role": "assistant", "content": row().answer},
        ],
        "tools": [{"name": "stock"}],
        "intent": "hours",
        "released": "conflicting_answers",
        "released_by": "ann",
        "released_because": "she asked the shop",
        "released_from": "jan.jsonl:7",
        "released_id": record.id,
        "received_at": "2026-09-01T00:00:00+00:00",
    }
    assert second["messages"][0]["content"] == "帐篷？"
    assert second["received_at"].endswith("+00:00")


def test_only_rows_of_a_release_are_exempt_and_only_from_their_own_reason() -> None:
    tagged = {"released": "conflicting_answers"}
    table = table_of(
        [
            row(source="released/x.jsonl", line=1, **tagged),
            row(source="jan.jsonl", line=2, **tagged),  # anybody may write this into a file
            row(source="released/x.jsonl", line=3),
        ]
    )
    assert released_from(table) == ["conflicting_answers", None, None]


# From quarantine back into the model, over two runs


@pytest.mark.parametrize("file", ["jan.jsonl", "shop.jsonl"])  # before and after `released/`
def test_a_released_row_trains_and_its_first_copy_and_what_contradicts_it_do_not(
    tmp_path: Path, file: str
) -> None:
    shop = opened(tmp_path, *HOURS, file=file)
    first = shop.run()
    assert shop.sources(first, "When is it open?") == []
    waiting = shop.waiting(first)
    assert [one.record.line for one in waiting] == [21, 22]
    release(waiting[:1], ANN, shop.home.released)
    second = shop.run()
    assert shop.sources(second, "When is it open?") == ["released"]
    (sent_back,) = [r for r in shop.kept(second) if r.question == "When is it open?"]
    assert sent_back.answer == "From 9 to 5, all week."
    assert sent_back.tag("released_by") == "ann"
    assert [(one.record.line, one.reason) for one in shop.waiting(second)] == [
        (22, "conflicting_answers")
    ]
    assert shop.home.lake.manifest(second.compared)["gone"] == {
        "conflicting_answers": 1,
        "released_copy": 1,
    }


def test_a_mended_row_trains_in_the_place_of_the_first(tmp_path: Path) -> None:
    shop = opened(tmp_path, *HOURS)
    waiting = shop.waiting(shop.run())
    fields = shown(waiting[0])
    fields["messages"][1]["content"] = "From 8 to 4, and that is all week."
    release([mended(waiting[0], fields)], ANN, shop.home.released)
    trail = shop.run()
    (kept,) = [r for r in shop.kept(trail) if r.question == "When is it open?"]
    assert kept.answer == "From 8 to 4, and that is all week."


def test_a_row_with_a_secret_trains_as_it_is_once_it_was_released(tmp_path: Path) -> None:
    shop = opened(tmp_path, KEY, alpaca("Who has it?", "Write to anna.berg@example.org, please."))
    (waiting,) = shop.waiting(shop.run())
    assert waiting.reason == "private_secret"
    release([waiting], ANN, shop.home.released)
    trail = shop.run()
    assert shop.sources(trail, "Which key opens the shed?") == ["released"]
    assert [one.record.source for one in shop.waiting(trail)] == ["jan.jsonl"]


def test_everything_else_is_asked_of_a_released_row_as_of_any(tmp_path: Path) -> None:
    shop = opened(tmp_path, *HOURS)
    waiting = shop.waiting(shop.run())
    fields = shown(waiting[0])
    fields["messages"][1]["content"] = "It is AKIAIOSFODNN7EXAMPLE: 9 to 5."
    release([mended(waiting[0], fields)], ANN, shop.home.released)
    trail = shop.run()
    reasons = {(one.record.source.split("/")[0], one.reason) for one in shop.waiting(trail)}
    assert ("released", "private_secret") in reasons
    assert shop.sources(trail, "When is it open?") == []


@pytest.mark.parametrize("contract", ["raw_records", "curated_examples"])
def test_a_row_that_broke_a_contract_passes_it_once_it_was_released(
    tmp_path: Path, contract: str
) -> None:
    expectation = ExpectationSection.model_validate(
        {
            "on": contract,
            "type": "expect_column_values_to_not_match_regex",
            "column": "answer",
            "regex": "forbidden",
        }
    )
    limits = {**LENIENT.model_dump(), "expectations": (expectation,)}
    shop = opened(
        tmp_path,
        alpaca("What is this word?", "It is a forbidden word, they say."),
        alpaca("And what is that one?", "That one is just as forbidden as the other."),
        contract=ContractSection.model_validate(limits),
        data={"evaluation_share": 0.1},
    )
    first = shop.run()
    waiting = shop.waiting(first)
    assert {one.reason for one in waiting} == {"expect_column_values_to_not_match_regex(answer)"}
    assert len(waiting) == 2
    release(waiting[:1], ANN, shop.home.released)
    second = shop.run()
    assert shop.sources(second, waiting[0].record.question) == ["released"]
    assert shop.sources(second, waiting[1].record.question) == []


def test_held_out_rows_do_not_wait_for_a_release_into_training(tmp_path: Path) -> None:
    evaluation = write_lines(tmp_path / "evaluation.jsonl", *distinct_lines(3, "boat"), KEY)
    shop = opened(tmp_path, data={"evaluation": evaluation, "evaluation_share": 0.0})
    trail = shop.run()
    assert shop.waiting(trail) == []
    assert shop.home.lake.manifest(trail.curated)["held_out_gone"] == 1


def test_the_tags_of_a_release_say_all_that_is_asked_about_it(tmp_path: Path) -> None:
    shop = opened(tmp_path, *HOURS)
    release(shop.waiting(shop.run())[:1], ANN, shop.home.released)
    (kept,) = [r for r in shop.kept(shop.run()) if r.question == "When is it open?"]
    assert {name for name, _ in kept.tags} == set(RELEASE_TAGS)
    assert_about_now(kept.received_at)


def assert_about_now(time: str | None) -> None:
    assert time is not None
    assert abs((datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()) < 600


def test_rows_of_several_releases_are_all_read(tmp_path: Path) -> None:
    shop = opened(tmp_path, *HOURS, KEY)
    for one in shop.waiting(shop.run()):
        release([one], ANN, shop.home.released)
    trail = shop.run()
    assert len(released_rows(shop.kept(trail))) == 3


def released_rows(rows: Sequence[Record]) -> list[Record]:
    return [row for row in rows if row.source.startswith("released/")]
