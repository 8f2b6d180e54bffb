"""`sluice deploy RECIPE`: create or update the Prefect deployments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def deploy(recipe: Annotated[Path, typer.Argument(help="The recipe, a YAML file.")]) -> None:
    """Create or update the deployments retrain/MODEL and promote/MODEL on the Prefect server."""
    import os

    from commands.console import console
    from sluice.errors import StackError
    from sluice.home import Home
    from sluice.home_recipe import settle_in
    from sluice.stack.local import point_at_stack

    home = Home.current()
    found = settle_in(home, recipe)
    point_at_stack(home)
    if "PREFECT_API_URL" not in os.environ:
        raise StackError(
            "No Prefect server: the stack does not run and PREFECT_API_URL is not set. "
            "Start one with `sluice up`."
        )
    from flows.deploy import deploy as create

    for name in create(home, found, recipe):
        console.print(f"[green]✓[/] {name}")
