"""`sluice quarantine list|show|release`: look at rows that wait, mend them, send them back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at quarantined rows, and send them back.", no_args_is_help=True)


@app.command("list")
def list_rows(
    reason: Annotated[str | None, typer.Option(help="Only rows with this reason.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per row.")] = False,
) -> None:
    """List the quarantined rows of the newest run: id, place and reason, without their text."""
    from commands.waiting_rows import print_waiting

    print_waiting(reason, as_json=json)


@app.command("show")
def show_rows(
    ids: Annotated[list[str], typer.Argument(help="Ids, or their beginnings.")],
    reveal: Annotated[
        bool, typer.Option(help="Show private data too, which is masked otherwise.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object per row: mend it, then --fixed.")
    ] = False,
) -> None:
    """Show whole rows. Private data is masked, unless it is asked for."""
    from commands.waiting_rows import print_rows

    print_rows(ids, reveal=reveal, as_json=json)


@app.command("release")
def release_rows(
    by: Annotated[str, typer.Option(help="Your name.")],
    why: Annotated[str, typer.Option(help="Why these rows may train the model.")],
    ids: Annotated[list[str] | None, typer.Argument(help="Ids, or their beginnings.")] = None,
    fixed: Annotated[
        Path | None,
        typer.Option(help="Mended rows, as `show --json --reveal` printed them before."),
    ] = None,
) -> None:
    """Send rows back: they come in again with the next run, and are checked as any row.

    As they are, they are not quarantined again for the same reason.
    """
    from commands.waiting_rows import send_back

    send_back(ids or [], fixed, by, why)
