"""Everything that `sluice status` tells, gathered from registry, gateway and records."""

from __future__ import annotations

import contextlib
from typing import Any

from rich.markup import escape
from rich.table import Table

from commands.console import console
from commands.outcome import COLOURS
from flows.deciding import sweep
from sluice.errors import RegistryError, ServingError
from sluice.home import Home
from sluice.home_recipe import home_recipe
from sluice.registry.approvals import Approvals
from sluice.registry.versions import CHALLENGER, CHAMPION, by_alias
from sluice.registry_location import tracking_uri
from sluice.run_record import RunRecord, read_records
from sluice.serving.client import GatewayClient
from sluice.settling import settle
from sluice.stack.local import gateway_url, point_at_stack

LAST_RUNS = 10


def overview(home: Home) -> dict[str, Any]:
    """The state of a home, JSON-ready. `champion` and `challenger` are null where there is none."""
    recipe, _ = home_recipe(home)
    point_at_stack(home)
    name = recipe.model.name
    records = settle(home)
    with contextlib.suppress(RegistryError):  # told below, where the aliases are read
        sweep(home, name)
    pending = Approvals(home.approvals).pending()
    return {
        "model": name,
        "champion": _alias(home, name, CHAMPION),
        "challenger": _alias(home, name, CHALLENGER),
        "serving": _serving(home),
        "pending_approvals": [
            {
                "flow_run_id": approval.flow_run_id,
                "version": approval.version,
                "evidence_digest": approval.evidence_digest,
                "expires": approval.expires,
            }
            for approval in pending
        ],
        "last_runs": [
            {
                "flow_run_id": record.flow_run_id,
                "outcome": record.outcome,
                "started": record.started,
                "seconds": record.seconds,
            }
            for record in records[:LAST_RUNS]
        ],
    }


def _alias(home: Home, name: str, alias: str) -> dict[str, str] | None:
    try:
        found = by_alias(tracking_uri(home), name, alias)
    except RegistryError as error:
        return {"version": "unknown", "digest": "unknown", "error": str(error)}
    return {"version": found.version, "digest": found.digest} if found else None


def _serving(home: Home) -> dict[str, Any] | None:
    url = gateway_url(home)
    if url is None:
        return None
    try:
        with GatewayClient(url) as gateway:
            ready = gateway.ready()
    except ServingError:
        return {"url": url, "version": None, "digest": None, "healthy": False}
    return {"url": url, "version": ready.version, "digest": ready.digest, "healthy": ready.ready}


def print_overview(home: Home, facts: dict[str, Any]) -> None:
    """The same for people, with what became of each run in a sentence."""
    console.print(f"[bold]{facts['model']}[/]")
    table = Table.grid(padding=(0, 2))
    for role in ("champion", "challenger"):
        found = facts[role]
        table.add_row(role, f"version {found['version']}  {found['digest'][:12]}" if found else "–")
    serving = facts["serving"]
    table.add_row("serving", _serving_line(serving))
    console.print(table)
    for approval in facts["pending_approvals"]:
        console.print(
            f"[yellow]waits for approval[/] version {approval['version']} until "
            f"{approval['expires']}: `sluice approve {approval['version']}`"
        )
    _print_runs(read_records(home.runs)[:LAST_RUNS])


def _serving_line(serving: dict[str, Any] | None) -> str:
    if serving is None:
        return "– (no gateway runs; `sluice up`)"
    if not serving["healthy"]:
        return f"[yellow]not ready[/] at {serving['url']}"
    return f"version {serving['version']}  {serving['digest'][:12]}  at {serving['url']}"


def _print_runs(runs: list[RunRecord]) -> None:
    if not runs:
        return
    table = Table("started", "outcome", "seconds", "", box=None, padding=(0, 2))
    for run in runs:
        outcome = f"[{COLOURS.get(run.outcome, 'white')}]{run.outcome}[/]"
        table.add_row(run.started, outcome, f"{run.seconds:.0f}", escape(run.detail))
    console.print(table)
