"""The shipped shops: enough rows, each kind of planted dirt is caught, and no good row is lost."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import pytest

from sluice.data.held_out import read_whole
from sluice.data.record import Record
from sluice.data.similarity import jaccard, shingles
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe
from tests.unit.data.planted import (
    EXAMPLES,
    FATES,
    MASKED,
    REPAIRED,
    SHOPS,
    months,
    planted,
)
from tests.unit.data.preparing import Fate, Outcome, Place, prepare

RECIPES = EXAMPLES.parent / "recipes"
LANGUAGES = {"customer_service": "en", "kefu": "zh"}
# "parcels" and "packages": a word of a short question stands for another, which may always be
# another question. The two questions share half of their word pairs, the answers all.
ANOTHER_WORD = {("2026-09.jsonl", 106)}
NUL = ("rejected", "nul_character")
PRIVATE = re.compile(r"@|\b555-\d{4}|1[35]\d{9}")

pytestmark = [
    pytest.mark.filterwarnings("default"),  # of Great Expectations
    pytest.mark.skipif(
        not all((EXAMPLES / shop / "dirt.json").exists() for shop in SHOPS),
        reason="the example data is not in this checkout",
    ),
]


def recipe_of(shop: str) -> Recipe:
    """The shop's own recipe, with a filter for its language besides."""
    recipe = load_recipe(RECIPES / f"{shop}.yaml")
    cleaning = recipe.cleaning.model_copy(update={"languages": (LANGUAGES[shop],)})
    return recipe.model_copy(update={"cleaning": cleaning})


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    return {
        shop: prepare(tmp_path_factory.mktemp(shop), months(shop), recipe_of(shop))
        for shop in SHOPS
    }


def evaluation(shop: str) -> list[Record]:
    records, rejects = read_whole(EXAMPLES / shop / "evaluation.jsonl", recipe_of(shop).data)
    assert not rejects
    return records


def curated(outcome: Outcome) -> dict[Place, str]:
    """The text of each row that was kept."""
    return {
        (row["source"], row["line"]): "\n".join(turn["content"] for turn in row["messages"])
        for row in outcome.rows("curated")
    }


def intents(rows: Sequence[Record]) -> set[str | None]:
    return {row.tag("intent") for row in rows}


@pytest.mark.parametrize(
    ("shop", "rows", "held_out"), [("customer_service", 320, 80), ("kefu", 160, 60)]
)
def test_there_are_enough_rows_of_enough_intents(
    outcomes: dict[str, Outcome], shop: str, rows: int, held_out: int
) -> None:
    kept = outcomes[shop].rows("curated")
    assert len(kept) >= rows
    assert len({dict(row["tags"])["intent"] for row in kept}) >= 12
    assert outcomes[shop].lake.manifest(outcomes[shop].trail.contracted)["evaluation"] >= held_out
    assert len(intents(evaluation(shop))) >= 12


@pytest.mark.parametrize("kind", FATES)
@pytest.mark.parametrize("shop", SHOPS)
def test_planted_dirt_is_caught_where_it_lies_and_for_what_it_is(
    outcomes: dict[str, Outcome], shop: str, kind: str
) -> None:
    fates = outcomes[shop].fates()
    found = {place: fates[place] for place in planted(shop, kind)}
    if kind == "near_duplicate" and shop == "customer_service":
        assert {place for place in found if fates[place][0] == "curated"} == ANOTHER_WORD
        found = {place: fate for place, fate in found.items() if place not in ANOTHER_WORD}
        # What differs in case or spacing alone is an exact copy to a folding comparison.
        assert set(found.values()) == {FATES[kind], FATES["exact_duplicate"]}
    else:
        assert set(found.values()) == {FATES[kind]}


@pytest.mark.parametrize("shop", SHOPS)
def test_no_other_row_is_lost(outcomes: dict[str, Outcome], shop: str) -> None:
    known = {place for kind in FATES for place in planted(shop, kind)}
    gone: dict[Place, Fate] = {
        place: fate
        for place, fate in outcomes[shop].fates().items()
        if fate[0] != "curated" and place not in known
    }
    # NUL is the one control character that makes a line unreadable instead of being cleaned.
    assert set(gone.values()) <= {NUL}
    assert set(gone) <= planted(shop, "control_characters")


@pytest.mark.parametrize("shop", SHOPS)
def test_html_and_control_characters_are_cleaned_and_their_rows_stay(
    outcomes: dict[str, Outcome], shop: str
) -> None:
    kept, fates = curated(outcomes[shop]), outcomes[shop].fates()
    for kind in REPAIRED:
        for place in planted(shop, kind):
            if fates[place] != NUL:
                assert is_plain(kept[place]), kept[place]
                assert not is_plain(" ".join(map(str, json.loads(raw_line(shop, place)).values())))


@pytest.mark.parametrize("shop", SHOPS)
def test_contact_details_are_masked_and_their_rows_stay(
    outcomes: dict[str, Outcome], shop: str
) -> None:
    kept = curated(outcomes[shop])
    for place in planted(shop, MASKED):
        assert PRIVATE.search(raw_line(shop, place))
        assert not PRIVATE.search(kept[place])
        assert "[EMAIL]" in kept[place]
        assert "[PHONE]" in kept[place]
    assert not [place for place, text in kept.items() if "@" in text]


@pytest.mark.parametrize("shop", SHOPS)
def test_no_evaluation_question_or_answer_nearly_equals_a_training_one(
    outcomes: dict[str, Outcome], shop: str
) -> None:
    limit = recipe_of(shop).data.near_duplicate
    for number, part in ((0, "question"), (-1, "answer")):
        trained = [
            shingles(row["messages"][number]["content"]) for row in outcomes[shop].rows("curated")
        ]
        for record in evaluation(shop):
            text = getattr(record, part)
            assert all(jaccard(shingles(text), other) < limit for other in trained), text


def raw_line(shop: str, place: Place) -> str:
    return (EXAMPLES / shop / place[0]).read_text(encoding="utf-8").split("\n")[place[1] - 1]


def is_plain(text: str) -> bool:
    return not re.search("</?[a-z]|&[a-z]+;|[\x00-\x08\x0b-\x1f\u200b-\u200d\u2060\ufeff]", text)
