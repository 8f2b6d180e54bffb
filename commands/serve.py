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
    from sluice.stack.local import gateway_settings, registered_gateway
    from sluice.stack.service import free_port

    home = Home.current()
    found = settle_in(home, recipe or home_recipe(home)[1])
    wanted = port if port is not None else found.serving.port
    settings = gateway_settings(home, found, wanted or free_port())
    with registered_gateway(home, settings):
        raise typer.Exit(main(settings.arguments()))
