"""`sluice batches`: what was read, batch by batch, and which of them count."""

from __future__ import annotations

import json as json_module
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from sluice.home import Home


def batches(
    json: Annotated[bool, typer.Option("--json", help="One JSON object per batch.")] = False,
) -> None:
    """List the batches that were read: digest, source, rows, when, and whether they count."""
    from rich.table import Table

    from commands.console import console

    found = _batches(Home.current())
    if json:
        for batch in found:
            typer.echo(json_module.dumps(batch, ensure_ascii=False))
        return
    table = Table(box=None)
    for name in ("batch", "source", "rows", "read", "counts"):
        table.add_column(name, justify="right" if name == "rows" else "left")
    for batch in found:
        rows, short = f"{batch['rows']:,}", batch["digest"][:12]
        table.add_row(short, batch["source"], rows, batch["read"], batch["told"])
    console.print(table if found else "No batch was read yet.")


def digest_named(home: Home, name: str) -> str:
    """The digest of the newest batch of a source with this name; otherwise the name itself."""
    newest = [batch["digest"] for batch in _batches(home) if batch["source"] == name]
    return newest[-1] if newest else name


def _batches(home: Home) -> list[dict[str, Any]]:
    from sluice.data.intake.live import live_batches
    from sluice.data.intake.withdrawal import withdrawn_digests
    from sluice.freshness import data_of
    from sluice.home_recipe import home_recipe
    from sluice.lake import read_json

    recipe, _ = home_recipe(home)
    data = data_of(home, recipe)
    counting = {ref.digest for ref in live_batches(home.lake, data, datetime.now(UTC))}
    withdrawn = withdrawn_digests(home.lake)
    found: list[dict[str, Any]] = []
    for path in (home.lake.root / "raw").glob("*/manifest.json"):
        facts = read_json(path)
        digest = path.parent.name
        counts = digest in counting
        told = "yes" if counts else "withdrawn" if digest in withdrawn else "no"
        found.append(
            {
                "digest": digest,
                "source": facts["source"],
                "rows": facts["rows"],
                "read": facts["ingested_at"],
                "counts": counts,
                "told": told,
            }
        )
    return sorted(found, key=lambda batch: (batch["read"], batch["source"]))
