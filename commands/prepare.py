"""`sluice prepare RECIPE`: the data part alone, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def prepare(
    recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")],
    output: Annotated[Path, typer.Option(help="Folder for the four files and the Data Docs.")],
    input: Annotated[
        list[str] | None,
        typer.Option(help="File, folder, glob or URL, instead of the recipe's own. Repeatable."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Read, clean, compare and check rows, and train nothing.

    Leaves curated, dropped, quarantined and rejected.parquet: each row is in one, with a reason.
    """
    from commands.account_table import print_account
    from commands.console import console
    from commands.preparing import prepare_here

    result = prepare_here(recipe, input, output, quiet=json)
    if json:
        typer.echo(result.to_json())
    else:
        print_account(console, result)
