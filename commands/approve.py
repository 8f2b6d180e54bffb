"""`sluice approve` and `sluice reject`: decide on a challenger, as the form in the UI does."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

VersionArgument = Annotated[
    str | None, typer.Argument(help="The version; by default the only one that waits.")
]
Approver = Annotated[str, typer.Option(help="Who decides.", default_factory=getpass.getuser)]
Reason = Annotated[str, typer.Option(help="Why, for whoever reads this later.")]


def approve(version: VersionArgument = None, *, approver: Approver, reason: Reason = "") -> None:
    """Approve a version: it is loaded and questioned on the gateway, then becomes champion."""
    _decide("approve", version, approver, reason)


def reject(version: VersionArgument = None, *, approver: Approver, reason: Reason = "") -> None:
    """Reject a version: it is never served."""
    _decide("reject", version, approver, reason)


def _decide(decision: str, version: str | None, approver: str, reason: str) -> None:
    from commands.console import console
    from commands.deciding import decide
    from sluice.home import Home

    home = Home.current()
    with console.status("carrying the decision out"):
        outcome, detail = decide(home, decision, version, approver, reason)
    colour = "green" if outcome == "promoted" else "yellow"
    console.print(f"[bold {colour}]{outcome}[/]: ", end="")
    console.print(detail, markup=False)
    expected = "promoted" if decision == "approve" else "rejected by approver"
    raise typer.Exit(0 if outcome == expected else 1)
