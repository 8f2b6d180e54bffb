"""`sluice run RECIPE`: one whole retrain in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXIT_CODES = {"failed": 1, "rejected by gate": 3, "inconclusive": 4}


def run(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    batch: Annotated[
        list[Path] | None,
        typer.Option(help="A file to take in, instead of the landing folder. May be repeated."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Do one whole retrain in the foreground and print its outcome.

    Uses the stack if one runs, and does not need one.
    """
    from commands.foreground import retrain_here
    from commands.outcome import print_outcome
    from sluice.errors import BatchError
    from sluice.home import Home
    from sluice.home_recipe import settle_in

    home = Home.current()
    settle_in(home, recipe)
    missing = [path for path in batch or [] if not path.is_file()]
    if missing:
        raise BatchError(f"There is no file {missing[0]}. Nothing was run.")
    record = retrain_here(home, recipe, batch, quiet=json)
    print_outcome(home, record, as_json=json)
    raise typer.Exit(EXIT_CODES.get(record.outcome, 0))
