"""`sluice reproduce`: a real version, made again from its raw batches. No server is started."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tiny_shop import HELD_OUT, MONTH_1, MONTH_2, TinyShop, same_environment_after

from commands.console import console
from commands.reproduction_shown import print_reproduction
from data_contracts.preparation import Preparation
from sluice.data.ingest import ingest_new
from sluice.data.intake.live import live_batches
from sluice.data.intake.withdrawal import restore, withdraw
from sluice.freshness import shelves_of
from sluice.home import cache_dir
from sluice.home_recipe import settle_in
from sluice.lake import write_json
from sluice.recipe_file import load_recipe
from sluice.refs import DatasetRef, Evidence, ModelRef
from sluice.registry.tracking import log_provenance, open_run
from sluice.registry.versions import register, set_champion
from sluice.registry_location import tracking_uri
from sluice.training.artifact import TrainedModel
from sluice.training.base_model import resolve_base
from sluice.training.provenance import PROVENANCE
from sluice.training.reproduction import Changed, Off, Reproduction
from sluice.training.train import train_step

Sluice = Callable[..., tuple[int, str, str]]
# The second month stands for general rows, of which a tenth may train.
REPLAY = {"general_source": "general", "general_share": 0.1}
TRAINING: dict[str, Any] = {"epochs": 2, "threads": 1, "replay": REPLAY}

pytestmark = [
    pytest.mark.server,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("default"),  # of MLflow and Great Expectations: not ours to mend
]


@dataclass(frozen=True)
class Registered:
    """A shop with version 1, and what it was made of."""

    shop: TinyShop
    model: ModelRef
    raw: tuple[DatasetRef, ...]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Iterator[Registered]:
    shop = TinyShop.build(tmp_path_factory.mktemp("reproduced"), tiny_base)
    (shop.root / "evaluation.jsonl").write_bytes(HELD_OUT.read_bytes())
    shop.write_recipe(training=TRAINING, data=data_of(shop))
    shop.drop(MONTH_1)
    with shop.entered():
        yield made(shop)


def data_of(shop: TinyShop) -> dict[str, Any]:
    source = {"name": "general", "uri": str(MONTH_2)}
    return {"evaluation": str(shop.root / "evaluation.jsonl"), "sources": [source]}


def made(shop: TinyShop) -> Registered:
    """What a retrain does, without its flow: ingest, prepare, train, register."""
    home, lake = shop.home, shop.home.lake
    recipe = settle_in(home, shop.recipe)
    base = resolve_base(recipe.model.base, None, cache_dir())
    preparation = Preparation(
        recipe, shop.root, lake, shop.root / "docs", base.folder / "tokenizer.json"
    )
    shelves, engine = shelves_of(home, recipe), preparation.engine
    ingest_new(lake, recipe.data, shelves, engine, settle_seconds=0)
    raw = tuple(live_batches(lake, recipe.data, datetime.now(UTC)))
    trail = preparation.whole(raw)
    model = train_step(trail.contracted, recipe, lake, cache_dir(), lambda event: None, trail=trail)
    uri = tracking_uri(home)
    tracked = open_run(uri, "tiny-shop", "key", {}, home.root / "mlflow" / "artifacts")
    log_provenance(tracked, lake.manifest(model)[PROVENANCE])
    evidence = Evidence("evidence/e", "e" * 64, verdict="promote")
    register(uri, "tiny-shop", tracked.run_id, model, evidence, lake, cache_dir())
    return Registered(shop, model, raw)


@pytest.fixture
def reproduce(registered: Registered, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> Sluice:
    monkeypatch.setattr(console, "width", 200)

    def run(*arguments: object) -> tuple[int, str, str]:
        with same_environment_after():
            return sluice("reproduce", *arguments)

    return run


def files_below(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_manifest_says_what_it_was_made_of_and_on(registered: Registered) -> None:
    lake = registered.shop.home.lake
    facts = lake.manifest(registered.model)[PROVENANCE]
    assert facts["recipe"]["training"]["epochs"] == 2
    assert facts["seed"] == facts["recipe"]["training"]["seed"]
    assert [ref["digest"] for ref in facts["data"]["raw"]] == [r.digest for r in registered.raw]
    assert list(facts["held_out"]) == [str(registered.shop.root / "evaluation.jsonl")]
    environment = facts["environment"]
    assert {"python", "torch", "transformers", "trl", "peft"} <= environment["versions"].keys()
    assert environment["threads"]["torch"] == 1  # as the trainer's process had them
    assert environment["machine"]["cores"] >= 1
    training = lake.manifest(registered.model)["training"]
    assert "environment" not in training
    replay = training["replay"]
    rows = replay["new"] + replay["general"]
    assert replay["general"] <= 0.1 * rows < replay["general"] + 1
    assert TrainedModel.read(lake.path(registered.model)).rows == rows


def test_mlflow_has_it_too(registered: Registered) -> None:
    artifacts = registered.shop.home.root / "mlflow" / "artifacts"
    (file,) = artifacts.rglob("provenance.json")
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept == registered.shop.home.lake.manifest(registered.model)[PROVENANCE]


def test_a_version_is_made_again_byte_for_byte(registered: Registered, reproduce: Sluice) -> None:
    lake = registered.shop.home.lake
    before = files_below(lake.root)
    code, out, err = reproduce("1")
    assert code == 0, err
    assert f"version 1: equal, byte for byte ({registered.model.digest[:12]})" in out
    assert "rows in 2 batches, as they were read then" in out
    assert files_below(lake.root) == before  # and nothing of the home was touched


def test_other_settings_are_told_with_how_far_off_they_lead(
    registered: Registered, reproduce: Sluice
) -> None:
    shop = registered.shop
    settings = {**TRAINING, "threads": 2}
    other = shop.write_recipe("two.yaml", training=settings, data=data_of(shop))
    code, out, _ = reproduce("1", "--recipe", other, "--json", "--tolerance", "0.05")
    found = json.loads(out)
    assert all(found["data"].values())
    changed = {one["name"]: (one["then"], one["now"]) for one in found["changed"]}
    assert changed["recipe.training.threads"] == (1, 2)
    assert changed["environment.threads.torch"] == (1, 2)
    assert not found["equal"]  # model.json names the settings
    assert set(found["largest_difference"]) == {"weights", "logits", "validation_loss"}
    assert max(found["largest_difference"].values()) <= 0.05
    assert (code, found["reproduced"]) == (0, True)


@pytest.mark.parametrize(
    ("off", "changed", "words"),
    [
        (Off(1e-4, 1e-4, None), (), ["equal to within 0.001", "No recorded fact is other now"]),
        (
            Off(1e-4, 0.25, 0.5),
            (Changed("environment.threads.torch", 1, 2), Changed("base", "a" * 64, None)),
            ["not the same model", "threads.torch: 1 → 2", "base: aaaaaaaaaaaa → None", "0.25"],
        ),
    ],
)
def test_how_far_off_it_is_and_why_is_printed(
    capsys: pytest.CaptureFixture[str], off: Off, changed: tuple[Changed, ...], words: list[str]
) -> None:
    print_reproduction(Reproduction("3", "a" * 64, "b" * 64, (), off, changed, 1e-3))
    out = capsys.readouterr().out
    assert [word for word in words if word not in out] == []


def test_held_out_rows_that_changed_are_told_with_the_stage_that_they_changed(
    registered: Registered, reproduce: Sluice
) -> None:
    path = registered.shop.root / "evaluation.jsonl"
    text = path.read_bytes()
    lines = MONTH_1.read_bytes().splitlines(keepends=True)
    path.write_bytes(text + b"".join(lines[:5]))  # now rows that trained are kept away
    try:
        code, out, _ = reproduce("1")
    finally:
        path.write_bytes(text)
    assert code == 1
    assert "version 1: not the same model" in out
    assert "The data differs from the stage `compared` on." in out
    assert f"held_out.{path}" in out
    assert "of a trained weight" in out


def test_a_batch_that_was_changed_is_named_and_nothing_is_trained(
    registered: Registered, reproduce: Sluice
) -> None:
    lake = registered.shop.home.lake
    part = next(lake.path(registered.raw[0]).rglob("*.parquet"))
    kept = part.read_bytes()
    part.write_bytes(kept[:-9] + b"!" + kept[-8:])
    try:
        code, out, err = reproduce("1")
    finally:
        part.write_bytes(kept)
    assert code == 1
    assert f"raw/{registered.raw[0].digest[:12]}: 1 of" in err
    assert part.name in err
    assert "train" not in out


def test_a_version_that_is_not_there_is_told(reproduce: Sluice) -> None:
    code, _, err = reproduce("9")
    assert code == 1
    assert "tiny-shop has no version 9" in err
    assert "tiny-shop has no champion" in reproduce("champion")[2]


def test_a_version_of_before_says_that_it_does_not_know(
    registered: Registered, reproduce: Sluice
) -> None:
    lake = registered.shop.home.lake
    manifest = lake.manifest(registered.model)
    path = lake.path(registered.model) / "manifest.json"
    write_json(path, {name: fact for name, fact in manifest.items() if name != PROVENANCE})
    try:
        code, _, err = reproduce("1")
    finally:
        write_json(path, manifest)
    assert code == 1
    assert "does not say which batches and settings" in err


def test_the_champion_is_what_a_training_goes_on_from(registered: Registered) -> None:
    from tasks.job import Job
    from tasks.train import start_of

    home, recipe = registered.shop.home, registered.shop.recipe
    settings = {**TRAINING, "start_from": "champion"}
    path = registered.shop.write_recipe("on.yaml", training=settings, data=data_of(registered.shop))
    on, afresh = (Job(load_recipe(one), one, home, "run") for one in (path, recipe))
    assert start_of(on) is None  # there is no champion yet
    set_champion(tracking_uri(home), "tiny-shop", "1")
    try:
        assert start_of(on) == registered.model
        assert start_of(afresh) is None
        withdraw(home.lake, registered.raw[0].digest, "Anna", "wrong prices")
        assert start_of(on) is None  # its weights have seen what shall not be learned
        restore(home.lake, registered.raw[0].digest, "Anna")
    finally:
        set_champion(tracking_uri(home), "tiny-shop", None)
