"""The augmenting step over the lake: variants train, are never judged by, and are counted apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sluice.data.augmentation import METHOD_TAG, PARENT_TAG
from sluice.data.augmented import augment_step
from sluice.data.compute import ThisProcess
from sluice.data.contamination import EvaluationIndex, contaminated
from sluice.data.curated import split_step
from sluice.data.held_out import HeldOut
from sluice.data.parts import PART_ROWS, iterate, part_files, part_name, read_records, write_part
from sluice.data.record import Record, table_of
from sluice.errors import RecipeError
from sluice.lake import Lake
from sluice.recipe import AugmentationSection, CleaningSection, DataSection, Recipe
from sluice.refs import DatasetRef
from tests.unit.data.preparing import any_recipe, prepare
from tests.unit.data.rows import alpaca, recipe, row, stored, write_lines

NOISE = {"method": "noise", "rate": 0.05}
ONE_SWAP = {"method": "synonyms", "rate": 1.0, "files": ["words.csv"]}
NOBODY = HeldOut((), (), ())
DATA = DataSection(evaluation_share=0.3, validation_share=0.2)

pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def unlike(count: int) -> list[Record]:
    return [
        row(
            f"Where is the tent{i} of size{i} in colour{i}, please?",
            f"tent{i} costs{i} and weighs{i} about kilo{i} for model{i}.",
            line=i,
        )
        for i in range(1, count + 1)
    ]


def augmenting(*methods: dict[str, Any], **values: Any) -> Recipe:
    section = AugmentationSection.model_validate({"methods": methods, "max_share": 4.0, **values})
    return recipe(data=DATA, augmentation=section)


def split(lake: Lake, rows: Sequence[Record]) -> DatasetRef:
    compared = stored(lake, *rows, area="compared", side="kept")
    return split_step(compared, NOBODY, recipe(data=DATA), lake, ThisProcess())


def augment(
    lake: Lake, curated: DatasetRef, settings: Recipe, held_out: HeldOut = NOBODY
) -> DatasetRef:
    found = augment_step(curated, held_out, settings, lake.root.parent, lake, ThisProcess())
    lake.verify(found)
    return found


def rows_of(lake: Lake, ref: DatasetRef, side: str) -> list[Record]:
    return read_records(lake.path(ref) / side)


def variants_of(lake: Lake, ref: DatasetRef) -> list[Record]:
    return [r for r in rows_of(lake, ref, "train") if r.tag(METHOD_TAG)]


def test_without_a_method_nothing_happens(lake: Lake) -> None:
    curated = split(lake, unlike(20))
    steps = sorted((lake.root / "steps").iterdir())
    assert augment(lake, curated, recipe(data=DATA)) == curated
    assert sorted((lake.root / "steps").iterdir()) == steps


def test_variants_join_the_training_rows_and_nothing_else_changes(lake: Lake) -> None:
    curated = split(lake, unlike(60))
    augmented = augment(lake, curated, augmenting(NOISE))
    for side in ("validation", "evaluation", "gone"):
        before, after = (part_files(lake.path(ref) / side) for ref in (curated, augmented))
        assert [p.read_bytes() for p in after] == [p.read_bytes() for p in before]
    real, trained = rows_of(lake, curated, "train"), rows_of(lake, augmented, "train")
    assert trained[: len(real)] == real
    variants = trained[len(real) :]
    assert variants == variants_of(lake, augmented) != []
    assert {v.tag(PARENT_TAG) for v in variants} <= {r.id for r in real}
    places = [(r.source, r.line) for r in trained]
    assert len(set(places)) == len(places)
    assert augmented.rows == len(trained)
    facts = lake.manifest(augmented)
    assert facts["train"] == len(trained)
    assert facts["variants"] == len(variants) == facts["variants_by_fate"]["kept"]
    for name in ("validation", "evaluation", "chosen", "held_out", "gone"):
        assert facts[name] == lake.manifest(curated)[name]


def test_no_variant_comes_near_a_row_that_is_judged_by_or_guarded(lake: Lake) -> None:
    write_lines(lake.root.parent / "words.csv", "parcel, package", "包裹，快递")
    rows = [
        row(f"parcel number{i} kind{i} town{i}?", f"It takes long{i}.", line=i)
        for i in range(1, 41)
    ]
    curated = split(lake, [*rows, row("请问我的包裹几天到？", "大概两天就会送到。", line=50)])
    guards = tuple(row(f"package number{i} kind{i} town{i}?", "Days.") for i in range(1, 21))
    free = augment(lake, curated, augmenting(ONE_SWAP))
    kept_away = augment(lake, curated, augmenting(ONE_SWAP), HeldOut((), guards, ()))
    assert lake.manifest(kept_away)["variants"] < lake.manifest(free)["variants"]
    assert lake.manifest(kept_away)["variants_by_fate"]["contaminated"]
    away = [*rows_of(lake, kept_away, "evaluation"), *guards]
    index = EvaluationIndex.build(away, DATA.near_duplicate)
    assert contaminated(table_of(variants_of(lake, kept_away)), index).num_rows == 0


def test_how_the_rows_are_cut_into_parts_decides_nothing(lake: Lake) -> None:
    assert PART_ROWS > 60
    whole = split(lake, unlike(60))
    with lake.aside() as folder:
        for side in ("train", "validation", "evaluation", "gone"):
            rows = [table.slice(i, 7) for table in iterate(lake.path(whole) / side)
                    for i in range(0, table.num_rows, 7)]  # fmt: skip
            for number, table in enumerate(rows):
                write_part(folder / side / part_name(number), table)
        facts = {
            name: value
            for name, value in lake.manifest(whole).items()
            if name not in ("digest", "files", "step")
        }
        cut = lake.commit(
            folder, "curated", "cut", lambda uri, d: DatasetRef(uri, d, whole.rows), **facts
        )
    settings = augmenting(NOISE, max_share=0.5)
    one, many = augment(lake, whole, settings), augment(lake, cut, settings)
    assert rows_of(lake, one, "train") == rows_of(lake, many, "train")
    assert lake.manifest(one)["variants"] == int(0.5 * whole.rows)


def test_it_is_done_once_and_again_when_a_dictionary_changes(lake: Lake) -> None:
    words = lake.root.parent / "words.csv"
    write_lines(words, "where, wherever")
    curated = split(lake, unlike(20))
    first = augment(lake, curated, augmenting(ONE_SWAP))
    steps = len(list((lake.root / "steps").iterdir()))
    assert augment(lake, curated, augmenting(ONE_SWAP)) == first
    assert len(list((lake.root / "steps").iterdir())) == steps
    write_lines(words, "where, whereabouts")
    assert augment(lake, curated, augmenting(ONE_SWAP)) != first
    words.unlink()
    with pytest.raises(RecipeError, match=r"words\.csv"):
        augment(lake, curated, augmenting(ONE_SWAP))


def test_the_account_counts_made_up_rows_apart_and_the_funnel_says_where_they_joined(
    tmp_path: Path,
) -> None:
    lines = [alpaca(r.question, r.answer) for r in unlike(60)]
    path = write_lines(tmp_path / "jan.jsonl", *lines, "{")
    settings = any_recipe(
        # A slip of the pen that adds a letter makes the longest rows too long for their contract.
        cleaning=CleaningSection(max_chars=max(len(r.question + r.answer) for r in unlike(60))),
        augmentation=AugmentationSection.model_validate(
            {"methods": [{"method": "noise", "rate": 0.05, "kinds": ["duplicate"]}]}
        ),
    )
    outcome = prepare(tmp_path / "run", [path], settings)
    assert set(outcome.fates()) == {("jan.jsonl", i) for i in range(1, 62)}
    made = outcome.rows("augmented")
    manifest = outcome.lake.manifest(outcome.trail.curated)
    assert 0 < len(made) < manifest["variants"], "some broke the contract"
    assert {(r["source"], r["reason"]) for r in made} == {("jan.jsonl+noise", "noise")}
    assert outcome.account["augmented"] == {"noise": len(made)}
    assert outcome.account["quarantined"] == {}
    (joined,) = [stage for stage in outcome.stages if stage.added]
    assert (joined.name, joined.added) == ("augmented", manifest["variants"])
    last = outcome.stages[-1]
    assert last.rows == outcome.account["curated"]["train"] + len(made)
