"""`sluice chat`: ask the served model."""

from __future__ import annotations

from typing import Annotated

import typer


def chat(
    question: Annotated[
        str | None, typer.Argument(help="One question; without it, a chat.")
    ] = None,
    base: Annotated[bool, typer.Option("--base", help="Ask the base model instead.")] = False,
) -> None:
    """Ask the champion through the running gateway. An empty line or ctrl-D ends a chat."""
    from commands.conversation import one_answer, talk
    from sluice.errors import StackError
    from sluice.home import Home
    from sluice.home_recipe import home_recipe
    from sluice.serving.client import GatewayClient
    from sluice.stack.local import gateway_url

    home = Home.current()
    recipe, _ = home_recipe(home)
    url = gateway_url(home)
    if url is None:
        raise StackError("No gateway runs. Start the stack with `sluice up`.")
    with GatewayClient(url) as gateway:
        model = "base" if base else recipe.model.name
        if question is not None:
            one_answer(gateway, model, question)
        else:
            talk(gateway, model)
