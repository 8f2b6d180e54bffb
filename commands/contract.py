"""`sluice contract init`: propose a contract from a sample of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Work on the data contract.", no_args_is_help=True)


@app.callback()
def _contract() -> None:
    """Keeps `init` a command of its own: typer makes one command alone the whole program."""


@app.command("init")
def init(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="File, folder, glob or URL, instead of the recipe's own."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write to. Without it, the proposal is printed.")
    ] = None,
) -> None:
    """Propose limits and expectations that a sample of the data would have passed.

    Prints a `contract:` section for the recipe, with comments that say what was measured.
    """
    from data_contracts.proposal import propose
    from data_contracts.sample import read_sample
    from sluice.home import Home
    from sluice.recipe_file import load_recipe

    found = load_recipe(recipe)
    landing = found.data.landing or Home.current().landing
    text = propose(read_sample(found, recipe.absolute().parent, source, landing))
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"Wrote a proposal to {output}. Read it, and put it into {recipe}.", err=True)
