"""`sluice check` as a person runs it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
RECIPES = sorted((REPOSITORY / "recipes").glob("*.yaml"))
HEAVY = ("torch", "prefect", "mlflow", "great_expectations", "transformers", "pandas", "httpx")
IMPORTS = (
    "import sys\nfrom commands.main import main\nsys.argv[0] = 'sluice'\ntry:\n    main()\n"
    f"except SystemExit as ended:\n    heavy = set({HEAVY!r}) & set(sys.modules)\n"
    "    assert not heavy, heavy\n    raise\n"
)


def check(*arguments: object, home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "commands.main", "check", *map(str, arguments)]
    environment = {**os.environ, "SLUICE_HOME": str(home), "COLUMNS": "300"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_shipped_recipe_is_usable(recipe: Path, tmp_path: Path) -> None:
    done = check(recipe, home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "a usable recipe for" in done.stdout


def test_it_answers_in_half_a_second(tmp_path: Path) -> None:
    seconds: list[float] = []
    for _ in range(3):
        started = time.perf_counter()
        check(RECIPES[0], home=tmp_path)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.5


def test_it_imports_nothing_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", IMPORTS, "check", str(RECIPES[0])]
    environment = {**os.environ, "SLUICE_HOME": str(tmp_path)}
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_error_is_one_paragraph_and_exit_code_2(tmp_path: Path) -> None:
    recipe = tmp_path / "bad.yaml"
    recipe.write_text("model: {name: shop, base: b}\ndata: {evaluation: e}\ntrainin: {}\n")
    done = check(recipe, home=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"error: {recipe}:3: trainin: is not a key of the recipe. Did you mean `training`?\n"
    )


def test_a_held_out_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    recipe = tmp_path / "bad.yaml"
    recipe.write_text("model: {name: shop, base: b}\ndata: {evaluation: e.jsonl}\n")
    done = check(recipe, home=tmp_path)
    assert done.returncode == 2
    assert "data.evaluation: there is no file" in done.stderr


def test_advice_follows_a_usable_recipe(tmp_path: Path) -> None:
    (tmp_path / "e.jsonl").write_text("{}\n")
    recipe = tmp_path / "odd.yaml"
    recipe.write_text("model: {name: shop, base: b}\ndata: {evaluation: e.jsonl}\n")
    done = check(recipe, home=tmp_path)
    assert done.returncode == 0
    assert "every verdict will be inconclusive" in done.stdout
