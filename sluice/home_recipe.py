"""Which recipe a home belongs to: one home holds one model's story."""

from __future__ import annotations

from pathlib import Path

from sluice.errors import RecipeError
from sluice.home import Home
from sluice.lake import read_json, write_json
from sluice.recipe import Recipe
from sluice.recipe_file import load_recipe

LAST_GOOD = "recipe.json"


def settle_in(home: Home, recipe_path: Path) -> Recipe:
    """Load a recipe and make it this home's recipe, so that later commands need not name it.

    Raises:
        RecipeError: the recipe is not usable, or the home belongs to another model.
    """
    recipe = load_recipe(recipe_path)
    note = home.root / "home.json"
    if note.exists():
        owner = read_json(note)["model"]
        if owner != recipe.model.name:
            raise RecipeError(
                f"{home.root} belongs to the model {owner}; this recipe is for "
                f"{recipe.model.name}. Set SLUICE_HOME to another folder for another model."
            )
    write_json(note, {"model": recipe.model.name, "recipe": str(recipe_path.absolute())})
    write_json(home.root / LAST_GOOD, recipe.model_dump(mode="json"))
    return recipe


def home_recipe(home: Home) -> tuple[Recipe, Path]:
    """The recipe of a home, and its path.

    If the file has been moved or broken since, the recipe as it was last used stands in: a rollback
    must not fail for a typing error in a YAML file.

    Raises:
        RecipeError: no recipe was ever used in this home.
    """
    note = home.root / "home.json"
    if not note.exists():
        raise RecipeError(
            f"{home.root} has no recipe yet. Begin with `sluice run RECIPE` or `sluice up RECIPE`, "
            "or set SLUICE_HOME to the folder that you mean."
        )
    path = Path(read_json(note)["recipe"])
    try:
        return load_recipe(path), path
    except RecipeError:
        if not (home.root / LAST_GOOD).exists():
            raise
        return Recipe.model_validate(read_json(home.root / LAST_GOOD)), path
