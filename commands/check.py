"""`sluice check RECIPE`: is this recipe usable, and is anything about it unusual?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    batch: Annotated[list[Path] | None, typer.Option(help="Files to be trained on.")] = None,
) -> None:
    """Check a recipe: errors with file and line, then advice. Answers at once."""
    from commands.console import console
    from sluice.advice import advise
    from sluice.errors import RecipeError
    from sluice.home import Home
    from sluice.recipe_file import load_recipe

    found = load_recipe(recipe)
    held_out = found.data.evaluation
    if held_out is not None and not held_out.is_file():
        raise RecipeError(f"{recipe}: data.evaluation: there is no file {held_out}.")
    landing = found.data.landing or Home.current().landing
    batches = batch or sorted(landing.glob("*.jsonl"))
    console.print(f"[green]✓[/] {recipe}: a usable recipe for [bold]{found.model.name}[/]")
    for sentence in advise(found, batches):
        console.print(f"[yellow]advice[/] {sentence}")
