"""Where the servers of a stack are."""

from __future__ import annotations

from rich.table import Table

from commands.console import console
from sluice.home import Home
from sluice.stack.local import Stack

WHAT = {
    "prefect": "Prefect: runs, approvals",
    "mlflow": "MLflow: scores, versions",
    "gateway": "Gateway: answers",
}


def print_addresses(home: Home, stack: Stack) -> None:
    """The addresses that a person opens, and the folder to drop data into."""
    table = Table.grid(padding=(0, 2))
    for name, what in WHAT.items():
        table.add_row(what, stack.url(name) or "[red]not running[/]")
    table.add_row("Landing folder", str(home.landing))
    console.print(table)
