"""`sluice up RECIPE`: start the local stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def up(
    recipe: Annotated[
        Path | None, typer.Argument(help="The recipe; by default the one this home was used with.")
    ] = None,
) -> None:
    """Start Prefect, MLflow, the gateway, a worker and the watcher of the landing folder.

    Everything listens on loopback only. Servers that run already are left alone.
    """
    from commands.addresses import print_addresses
    from commands.stack_up import bring_up
    from sluice.home import Home
    from sluice.home_recipe import home_recipe, settle_in

    home = Home.current()
    path = recipe or home_recipe(home)[1]
    stack = bring_up(home, settle_in(home, path), path)
    print_addresses(home, stack)
