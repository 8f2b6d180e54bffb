"""`sluice status`: what answers, what waits, what ran."""

from __future__ import annotations

from typing import Annotated

import typer


def status(
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show champion, challenger, what the gateway serves, pending approvals and the last runs."""
    from json import dumps

    from commands.console import console
    from commands.overview import overview, print_overview
    from sluice.home import Home

    home = Home.current()
    facts = overview(home)
    if json:
        console.print_json(dumps(facts, ensure_ascii=False))
    else:
        print_overview(home, facts)
