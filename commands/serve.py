"""`sluice serve RECIPE`: the gateway alone, in the foreground."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    recipe: Annotated[
        Path | None, typer.Argument(help="The recipe; by default the one this home was used with.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port; 0 takes any free one. By default the recipe's.")
    ] = None,
) -> None:
    """Serve the champion over an OpenAI-compatible API until ctrl-C."""
    from sluice.home import Home
    from sluice.home_recipe import home_recipe, settle_in
    from sluice.serving.run_gateway import main
    from sluice.stack.local import gateway_settings

    home = Home.current()
    found = settle_in(home, recipe or home_recipe(home)[1])
    settings = gateway_settings(home, found, port if port is not None else found.serving.port or 0)
    raise typer.Exit(main(settings.arguments()))
