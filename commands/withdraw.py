"""`sluice withdraw BATCH` and `sluice restore BATCH`: take a batch out of training, or back in."""

from __future__ import annotations

from typing import Annotated

import typer

Batch = Annotated[
    str, typer.Argument(help="Digest of the batch, or its beginning; a source's name also does.")
]


def withdraw(
    batch: Batch,
    by: Annotated[str, typer.Option(help="Your name.")],
    why: Annotated[str, typer.Option(help="What is wrong with it.")],
) -> None:
    """Leave a batch out of every later run. Its rows stay readable in the lake."""
    from commands.batches import digest_named
    from commands.console import console
    from sluice.data.intake.withdrawal import withdraw as take_out
    from sluice.home import Home

    home = Home.current()
    digest = take_out(home.lake, digest_named(home, batch), by, why)
    console.print(
        f"[green]✓[/] batch {digest[:12]} is out of all later runs. Models that were trained on "
        "it stay as they are: `sluice run` retrains without it, `sluice rollback` goes back."
    )


def restore(
    batch: Batch,
    by: Annotated[str, typer.Option(help="Your name.")],
    why: Annotated[str, typer.Option(help="Why it may train again.")] = "",
) -> None:
    """Let a withdrawn batch take part in later runs again."""
    from commands.batches import digest_named
    from commands.console import console
    from sluice.data.intake.withdrawal import restore as take_in
    from sluice.home import Home

    home = Home.current()
    digest = take_in(home.lake, digest_named(home, batch), by, why)
    console.print(f"[green]✓[/] batch {digest[:12]} takes part in later runs again")
