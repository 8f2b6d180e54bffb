"""`sluice report`: where the newest report is."""

from __future__ import annotations

from typing import Annotated

import typer


def report(
    open_it: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Print the path of the newest run's report."""
    from sluice.errors import SluiceError
    from sluice.home import Home
    from sluice.run_record import read_records

    home = Home.current()
    digests = [record.evidence_digest for record in read_records(home.runs)]
    newest = next((digest for digest in digests if digest), None)
    if newest is None:
        raise SluiceError("No run of this home has come to an evaluation yet.")
    path = home.lake.root / "evidence" / newest / "report.html"
    typer.echo(str(path))
    if open_it:
        typer.launch(path.as_uri())
