"""Bad input: a named outcome, a message that says what to do, and nothing registered."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_shop import DATA, MONTH_1, MONTH_2, TinyShop, retrain_in, versions_of

from sluice.run_record import RunRecord

pytestmark = [
    pytest.mark.server,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("default"),
]


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def failed(shop: TinyShop, record: RunRecord, *words: str) -> None:
    """The run failed as it should: told, and without a trace in the registry."""
    assert record.outcome == "failed"
    for word in words:
        assert word in record.detail, record.detail
    assert "Traceback" not in record.detail
    assert "train" not in [step.name for step in record.steps]
    assert versions_of(shop) == {}


def test_an_empty_file(shop: TinyShop, tmp_path: Path) -> None:
    file = lines(tmp_path / "empty.jsonl")
    record = retrain_in(shop, file)
    failed(shop, record, "empty.jsonl holds no rows", "remove the file")


def test_no_data_at_all(shop: TinyShop) -> None:
    failed(shop, retrain_in(shop), "nothing to train on", "--batch FILE")


def test_a_missing_column(shop: TinyShop, tmp_path: Path) -> None:
    rows = [{"instruction": f"Question {i}?", "answer": f"Answer {i}."} for i in range(80)]
    record = retrain_in(shop, lines(tmp_path / "columns.jsonl", *rows))
    failed(shop, record, "columns.jsonl: no known form", "instruction, answer", "mapping:")


def test_a_column_that_the_recipes_form_needs_and_rows_lack(shop: TinyShop, tmp_path: Path) -> None:
    recipe = shop.write_recipe(data={"form": "alpaca"})
    rows = [{"instruction": f"Question {i}?", "answer": f"Answer {i}."} for i in range(80)]
    record = retrain_in(shop, lines(tmp_path / "columns.jsonl", *rows), recipe=recipe)
    failed(shop, record, "80 of 80 lines cannot be read", "missing_output", "columns.jsonl:1")


def test_all_rows_bad(shop: TinyShop, tmp_path: Path) -> None:
    rows = [{"instruction": f"Question {i}?", "output": ""} for i in range(80)]
    record = retrain_in(shop, lines(tmp_path / "blank.jsonl", *rows))
    failed(shop, record, "breaks the contract raw_records", "answer", "index.html")
    pages = shop.home.runs / record.run_id / "data_docs" / "raw_records"
    assert (pages / "index.html").exists()


def test_rows_that_cleaning_drops_one_by_one(shop: TinyShop, tmp_path: Path) -> None:
    rows = [{"instruction": f"Question {i}?", "output": "ok."} for i in range(80)]
    record = retrain_in(shop, lines(tmp_path / "short.jsonl", *rows))
    failed(shop, record, "No row is left after cleaning", "answer_too_short 80", "/gone", "Mend")
    (folder,) = shop.home.lake.root.glob("cleaned/*/gone")
    assert str(folder) in record.detail


def test_a_batch_that_breaks_the_training_contract(shop: TinyShop) -> None:
    recipe = shop.write_recipe(contract={"min_rows": 5000})
    record = retrain_in(shop, MONTH_1, recipe=recipe)
    failed(shop, record, "training_examples", "5000", "Nothing was trained")


def test_an_unknown_package_as_base(shop: TinyShop) -> None:
    recipe = shop.write_recipe(model={"base": "package:no_such/model.gguf"})
    record = retrain_in(shop, MONTH_1, recipe=recipe)
    failed(shop, record, "no installed package carries this model file", "model.base")


def test_an_unknown_folder_as_base(shop: TinyShop, tmp_path: Path) -> None:
    recipe = shop.write_recipe(model={"base": str(tmp_path / "nowhere")})
    record = retrain_in(shop, MONTH_1, recipe=recipe)
    failed(shop, record, "neither a folder on this machine nor a hub id")


def test_an_unknown_hub_id_as_base(shop: TinyShop) -> None:
    recipe = shop.write_recipe(model={"base": "nobody/no-such-model"})
    record = retrain_in(shop, MONTH_1, recipe=recipe)
    failed(shop, record, "could not be fetched from the hub", "model.base")


def test_no_evaluation_file(shop: TinyShop, tmp_path: Path) -> None:
    recipe = shop.write_recipe(data={"evaluation": str(tmp_path / "gone.jsonl")})
    record = retrain_in(shop, MONTH_1, recipe=recipe)
    failed(shop, record, "gone.jsonl does not exist", "relative to the recipe's folder")


def test_an_evaluation_file_with_a_broken_line(shop: TinyShop, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text((DATA / "evaluation.jsonl").read_text(encoding="utf-8") + '{"instr')
    recipe = shop.write_recipe(data={"evaluation": str(broken)})
    record = retrain_in(shop, MONTH_1, recipe=recipe)
    failed(shop, record, "has 1 unreadable lines", "not_json")


def test_after_a_bad_file_the_good_one_is_taken(shop: TinyShop, tmp_path: Path) -> None:
    """The bad file left nothing that stops the next run; this one comes as far as its contract."""
    retrain_in(shop, lines(tmp_path / "empty.jsonl"))
    recipe = shop.write_recipe(contract={"min_rows": 5000})
    record = retrain_in(shop, MONTH_2, recipe=recipe)
    assert [step.name for step in record.steps][-1] == "augment"


@pytest.fixture
def small_disk(shop: TinyShop) -> Iterator[Path]:
    """A disk of its own for the lake, with 400 kB."""
    folder = shop.home.lake.root
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_no_space_for_the_model(shop: TinyShop, small_disk: Path) -> None:
    record = retrain_in(shop, MONTH_1)
    assert record.outcome == "failed"
    assert f"The disk of {small_disk} has 0 MB free" in record.detail
    assert "free some space, then run again" in record.detail
    assert [step.name for step in record.steps][-1] == "check training examples"
    assert versions_of(shop) == {}
    assert list(small_disk.glob("models/*")) == []


def test_the_command_line_tells_it_in_one_paragraph(shop: TinyShop, tmp_path: Path) -> None:
    done = shop.run("run", str(shop.recipe), "--batch", str(lines(tmp_path / "empty.jsonl")))
    assert done.returncode == 1
    assert "failed after" in done.stdout
    assert "holds no rows" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_file_that_is_not_there_runs_nothing(shop: TinyShop) -> None:
    done = shop.run("run", str(shop.recipe), "--batch", "no-such-file.jsonl")
    assert done.returncode == 1
    assert "There is no file no-such-file.jsonl. Nothing was run." in done.stderr
    assert shop.records() == []
