"""Which rows are trained on again. Nothing here loads a model."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.advice import advise
from sluice.data.intake.withdrawal import restore, withdraw
from sluice.data.parts import part_files, part_name, read_records, write_part
from sluice.data.record import Message, Record, content_id, table_of
from sluice.errors import TrainingError
from sluice.lake import Lake
from sluice.recipe import DataSection, ModelSection, Recipe, TrainingSection
from sluice.recipe.training import ReplaySection
from sluice.refs import DatasetRef, ModelRef
from sluice.training.artifact import TrainedModel
from sluice.training.base_model import BaseModel
from sluice.training.replay import ReplayCounts, rows_allowed, write_replay
from sluice.training.start import check_start, rows_to_train, withdrawn_behind

SHARES = st.decimals("0.01", "0.99", places=2).map(float)
COUNTS = st.integers(0, 3000)


def row(number: int, source: str = "2026-11.jsonl") -> Record:
    """Rows of even numbers are Chinese."""
    text = f"第{number}号帐篷有现货吗？" if number % 2 == 0 else f"Is tent {number} in stock?"
    chat = (Message("user", text), Message("assistant", f"有，{number} 件。"))
    return Record(content_id(chat), chat, source, number)


def parts(folder: Path, rows: list[Record], size: int = 7) -> Path:
    """Many small parts, so that the choice crosses their borders."""
    for number, start in enumerate(range(0, max(1, len(rows)), size)):
        write_part(folder / part_name(number), table_of(rows[start : start + size]))
    return folder


def replayed(
    folder: Path, rows: list[Record], before: list[Record], seed: int = 7, **section: object
) -> tuple[list[Record], ReplayCounts]:
    train, champion = parts(folder / "train", rows), parts(folder / "before", before)
    asked = ReplaySection.model_validate(section)
    counts = write_replay(train, champion, asked, seed, folder / "out")
    return read_records(folder / "out"), counts


OLDER = [row(n) for n in range(40)]
NEW = [row(n) for n in range(100, 120)]
GENERAL = [row(n, "chit-chat/a.jsonl") for n in range(200, 230)]


@given(COUNTS, COUNTS, COUNTS, SHARES, SHARES)
def test_shares_hold_and_one_more_row_would_break_them(
    new: int, older: int, general: int, first: float, second: float
) -> None:
    took, more = rows_allowed(new, older, general, first, second)
    total = new + took + more
    for kept, there, share in ((took, older, first), (more, general, second)):
        share = Fraction(str(share))
        assert 0 <= kept <= there
        assert kept <= share * total
        assert kept == there or kept + 1 > share * (total + 1)


def test_shares_that_leave_next_to_nothing_are_found_at_once() -> None:
    assert rows_allowed(1, 10**9, 10**9, 0.4999999, 0.5) == (4999999, 5000000)


@given(
    ids=st.lists(st.integers(0, 300), unique=True, max_size=80),
    known=st.sets(st.integers(0, 300)),
    first=SHARES,
    seed=st.integers(0, 3),
    order=st.randoms(use_true_random=False),
)
def test_the_choice_depends_on_seed_and_ids_alone(
    tmp_path_factory: pytest.TempPathFactory,
    ids: list[int],
    known: set[int],
    first: float,
    seed: int,
    order: random.Random,
) -> None:
    rows = [row(n, "chit-chat" if n % 5 == 0 else "2026-11.jsonl") for n in ids]
    before = [row(n) for n in sorted(known)]
    asked: dict[str, Any] = {
        "older_share": first,
        "general_source": "chit-chat",
        "general_share": 0.2,
    }
    if not any(n not in known and n % 5 for n in ids):
        with pytest.raises(TrainingError, match="No training row is new"):
            replayed(tmp_path_factory.mktemp("r"), rows, before, seed, **asked)
        return
    found, counts = replayed(tmp_path_factory.mktemp("r"), rows, before, seed, **asked)
    assert [one.id for one in found] == [one.id for one in rows if one in found]  # order kept
    assert max(Counter(one.id for one in found).values()) == 1
    assert {one.id for one in rows if one.line not in known and one.line % 5} <= {
        one.id for one in found
    }
    assert counts.rows == len(found)
    assert counts.rows + counts.older_left_out + counts.general_left_out == len(rows)
    shuffled = order.sample(rows, len(rows))
    again, same = replayed(tmp_path_factory.mktemp("r"), shuffled, before, seed, **asked)
    assert same == counts
    assert {one.id for one in again} == {one.id for one in found}


def test_the_same_input_gives_the_same_bytes_over_what_a_kill_left(tmp_path: Path) -> None:
    rows = [*OLDER, *NEW]
    parts(tmp_path / "b" / "out", GENERAL)
    for name in ("a", "b"):
        replayed(tmp_path / name, rows, OLDER, older_share=0.5)
    first, second = (
        [path.read_bytes() for path in part_files(tmp_path / name / "out")] for name in ("a", "b")
    )
    assert first == second


def test_another_seed_chooses_other_older_rows(tmp_path: Path) -> None:
    chosen = [
        frozenset(
            one.id for one in replayed(tmp_path / str(seed), [*OLDER, *NEW], OLDER, seed, **HALF)[0]
        )
        for seed in (1, 2)
    ]
    assert chosen[0] != chosen[1]


HALF: dict[str, Any] = {"older_share": 0.5}


def test_as_many_older_rows_train_as_new_ones_at_one_half(tmp_path: Path) -> None:
    found, counts = replayed(tmp_path, [*OLDER, *NEW], OLDER, **HALF)
    assert counts == ReplayCounts(
        new=20, older=20, general=0, older_left_out=20, general_left_out=0
    )
    assert len(found) == 40


def test_general_rows_are_told_by_the_name_of_their_source(tmp_path: Path) -> None:
    released = replace(
        row(300, "released/now.jsonl"), tags=(("released_from", "chit-chat/a.jsonl"),)
    )
    others = [row(301, "chit-chat-2/a.jsonl"), row(302, "chit-chat.jsonl")]
    general = [*GENERAL, row(303, "chit-chat+noise"), row(304, "chit-chat"), released]
    rows = [*NEW, *others, *general]
    _, counts = replayed(tmp_path, rows, [], general_source="chit-chat", general_share=0.5)
    assert (counts.new, counts.general, counts.general_left_out) == (22, 22, 11)


def test_a_general_row_that_the_champion_knows_is_general(tmp_path: Path) -> None:
    asked: dict[str, Any] = {
        "older_share": 0.5,
        "general_source": "chit-chat",
        "general_share": 0.2,
    }
    _, counts = replayed(tmp_path, [*NEW, *GENERAL], GENERAL, **asked)
    assert (counts.new, counts.older, counts.general) == (20, 0, 5)


def test_a_variant_is_as_old_as_the_row_that_it_was_made_of(tmp_path: Path) -> None:
    variant = replace(row(500), tags=(("augmented", "noise"), ("augmented_from", OLDER[0].id)))
    _, counts = replayed(tmp_path, [*NEW, variant], OLDER, **HALF)
    assert (counts.new, counts.older) == (20, 1)


def test_without_a_share_all_older_rows_train(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"general_source": "chit-chat", "general_share": 0.25}
    _, counts = replayed(tmp_path, [*OLDER, *GENERAL], OLDER, **asked)
    assert (counts.new + counts.older, counts.general) == (40, 13)


def test_nothing_new_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"trained on 40 of them.*Bring new rows"):
        replayed(tmp_path, OLDER, OLDER, **HALF)


# Around a training


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def dataset(lake: Lake, rows: list[Record]) -> DatasetRef:
    with lake.aside() as folder:
        parts(folder / "train", rows)
        key = f"data-{len(rows)}"
        return lake.commit(folder, "contracted", key, lambda u, d: DatasetRef(u, d, len(rows)))


def model(lake: Lake, data: DatasetRef, **facts: str) -> ModelRef:
    known: dict[str, Any] = {"base_digest": "b" * 64, "method": "lora", **facts}
    with lake.aside() as folder:
        TrainedModel(
            base="./base",
            revision=None,
            precision="fp32",
            system_prompt=None,
            dataset_digest=data.digest,
            recipe_digest="0" * 64,
            rows=data.rows,
            **known,
        ).write(folder)
        return lake.commit(
            folder, "models", "m", lambda u, d: ModelRef(u, d, "./base", known["method"])
        )


def recipe(**training: object) -> Recipe:
    return Recipe(
        model=ModelSection(name="shop", base="./base"),
        data=DataSection(evaluation_share=0.1),
        training=TrainingSection.model_validate({"start_from": "champion", **training}),
    )


BASE = BaseModel("./base", Path("base"), "b" * 64)


def test_a_champion_of_another_kind_is_refused_before_anything_is_trained(lake: Lake) -> None:
    start = model(lake, dataset(lake, OLDER), method="full", base_digest="c" * 64)
    with pytest.raises(TrainingError, match=r"2 of what.*base: cccccccccccc then.*full then, lora"):
        check_start(start, recipe(), BASE, lake)


def test_a_quantised_champion_is_no_start_for_one_that_is_stored_in_another_way(lake: Lake) -> None:
    start = model(lake, dataset(lake, OLDER), method="qlora", quantization="nf4")
    assert check_start(start, recipe(method="qlora"), BASE, lake).method == "qlora"
    with pytest.raises(TrainingError, match="quantization: nf4 then, int8 now"):
        check_start(start, recipe(method="qlora", quantization="int8"), BASE, lake)


def test_rows_are_chosen_against_those_of_the_champion(lake: Lake, tmp_path: Path) -> None:
    start = check_start(model(lake, dataset(lake, OLDER)), recipe(), BASE, lake)
    data = dataset(lake, [*OLDER, *NEW])
    folder, counts = rows_to_train(data, recipe(replay=HALF), start, lake, tmp_path)
    assert counts is not None
    assert (len(read_records(folder)), counts.older) == (40, 20)


def test_without_replay_the_rows_are_those_of_the_data_set(lake: Lake, tmp_path: Path) -> None:
    data = dataset(lake, OLDER)
    whole = (lake.path(data) / "train", None)
    assert rows_to_train(data, recipe(), None, lake, tmp_path) == whole
    assert rows_to_train(data, recipe(replay=HALF), None, lake, tmp_path) == whole


def test_a_data_set_that_is_gone_is_named_and_not_guessed(lake: Lake, tmp_path: Path) -> None:
    before = dataset(lake, OLDER)
    start = check_start(model(lake, before), recipe(), BASE, lake)
    data = dataset(lake, [*OLDER, *NEW])
    lake.path(before).rename(tmp_path / "gone")
    with pytest.raises(TrainingError, match=f"{before.digest[:12]}.*not in the lake"):
        rows_to_train(data, recipe(replay=HALF), start, lake, tmp_path)


def test_withdrawn_batches_are_found_in_the_weights_of_all_models_before(lake: Lake) -> None:
    def batch(number: int) -> DatasetRef:
        with lake.aside() as folder:
            parts(folder / "records", [row(number)])
            return lake.commit(folder, "raw", f"raw-{number}", lambda u, d: DatasetRef(u, d, 1))

    def trained_on(raw: DatasetRef, start: ModelRef | None) -> ModelRef:
        facts = {"data": {"raw": [raw.to_json()]}, "start": start.to_json() if start else None}
        with lake.aside() as folder:
            (folder / "model.json").write_text(raw.digest)
            make = partial(ModelRef, base="b", method="lora")
            return lake.commit(folder, "models", raw.digest, make, provenance=facts)

    first, second = batch(1), batch(2)
    champion = trained_on(second, trained_on(first, None))
    assert withdrawn_behind(champion, lake) == []
    withdraw(lake, first.digest, "Anna", "退货政策写错了")
    assert withdrawn_behind(champion, lake) == [first.digest]
    restore(lake, first.digest, "Anna")
    assert withdrawn_behind(champion, lake) == []


# In the recipe


def test_general_rows_must_come_from_a_source_that_the_recipe_has() -> None:
    sections: dict[str, Any] = {
        "model": {"name": "shop", "base": "./base"},
        "data": {"evaluation_share": 0.1, "sources": [{"name": "chit-chat", "uri": "a.jsonl"}]},
        "training": {"replay": {"general_source": "chit-chat"}},
    }
    Recipe.model_validate(sections)
    sections["training"]["replay"]["general_source"] = "chitchat"
    with pytest.raises(ValueError, match=r"chitchat` is none of `data.sources` \(there: chit-chat"):
        Recipe.model_validate(sections)


def test_shares_that_leave_little_to_new_rows_are_advised_against() -> None:
    asked = recipe(replay={"older_share": 0.9})
    assert [told for told in advise(asked, []) if "10% of the training rows to new" in told]
    assert not [told for told in advise(recipe(replay=HALF), []) if "training.replay" in told]
