"""`sluice reproduce VERSION`: make a registered version again, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TOLERANCE = 1e-3


def reproduce(
    version: Annotated[
        str, typer.Argument(help="Number of a registered version, `champion` or `challenger`.")
    ],
    recipe: Annotated[
        Path | None,
        typer.Option(help="A recipe to use instead of the recorded one, to see what it changes."),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Largest difference of a weight, a logit or the validation loss that still "
            "counts as reproduced.",
        ),
    ] = TOLERANCE,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Make a version again, offline, from its raw batches and settings, and say how far off it is.

    Nothing of the home is changed. Exit code 0: equal, or within the tolerance.
    """
    import os

    # Before a library reads them: what a version was made of lies on this machine.
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    from json import dumps

    from commands.console import console
    from commands.reproducing import reproduce_here
    from commands.reproduction_shown import print_reproduction
    from sluice.home import Home

    found = reproduce_here(Home.current(), version, recipe, tolerance, quiet=json)
    if json:
        console.print_json(dumps(found.to_json(), ensure_ascii=False))
    else:
        print_reproduction(found)
    raise typer.Exit(0 if found.reproduced else 1)
