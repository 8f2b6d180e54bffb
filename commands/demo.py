"""`sluice demo`: the whole journey on the shipped customer-service data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    recipe: Annotated[Path, typer.Argument()] = Path("recipes/customer_service.yaml"),
    batch: Annotated[
        Path, typer.Option(help="The month that is dropped into the landing folder.")
    ] = Path("examples/customer_service/2026-09.jsonl"),
    question: Annotated[str | None, typer.Option(help="What both models are asked.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the stack up.")] = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="Leave the decision to you, and the stack up.")
    ] = False,
) -> None:
    """Start the stack, drop a batch, follow the retrain, approve it, and compare two answers."""
    from commands.demonstration import demonstrate
    from sluice.home import Home

    demonstrate(Home.current(), recipe, batch, question, keep=keep or ask, ask=ask)
