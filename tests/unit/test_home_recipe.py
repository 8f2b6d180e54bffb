from __future__ import annotations

from pathlib import Path

import pytest

from sluice.errors import RecipeError
from sluice.home import Home, cache_dir
from sluice.home_recipe import home_recipe, settle_in
from sluice.registry_location import local_store, tracking_uri

TEXT = "model: {name: NAME, base: b}\ndata: {evaluation_share: 0.1}\n"


def recipe(folder: Path, name: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(TEXT.replace("NAME", name))
    return path


def test_a_home_remembers_its_recipe(tmp_path: Path) -> None:
    home, path = Home(tmp_path / "home"), recipe(tmp_path, "shop")
    with pytest.raises(RecipeError, match=r"has no recipe yet\. Begin with `sluice run RECIPE`"):
        home_recipe(home)
    settle_in(home, path)
    assert home_recipe(home)[1] == path
    assert home_recipe(home)[0].model.name == "shop"


def test_a_home_holds_one_model(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    settle_in(home, recipe(tmp_path, "shop"))
    with pytest.raises(RecipeError, match="belongs to the model shop; this recipe is for other"):
        settle_in(home, recipe(tmp_path, "other"))
    assert home_recipe(home)[0].model.name == "shop"


def test_a_recipe_that_is_wrong_is_not_remembered(tmp_path: Path) -> None:
    home, path = Home(tmp_path / "home"), tmp_path / "bad.yaml"
    path.write_text("model: 1\n")
    with pytest.raises(RecipeError):
        settle_in(home, path)
    assert not home.root.exists()


def test_where_things_are_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_HOME", "elsewhere")
    monkeypatch.setenv("SLUICE_CACHE", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    home = Home.current()
    assert home.root == tmp_path / "elsewhere"
    assert cache_dir() == tmp_path
    assert tracking_uri(home) == local_store(home)[0] == f"sqlite:///{home.root}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://team")
    assert tracking_uri(home) == "http://team"
