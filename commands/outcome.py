"""How a run's outcome is printed."""

from __future__ import annotations

import json
from dataclasses import asdict

from commands.console import console
from sluice.home import Home
from sluice.run_record import RunRecord

COLOURS = {
    "promoted": "green",
    "awaiting approval": "green",
    "skipped": "cyan",
    "inconclusive": "yellow",
    "rejected by gate": "yellow",
    "rejected by approver": "yellow",
    "expired": "yellow",
    "failed": "red",
}
NEXT = {
    "awaiting approval": "Read the report, then `sluice approve` or `sluice reject`.",
    "failed": "Finished steps are kept: once this is mended, the same command continues.",
}


def print_outcome(home: Home, record: RunRecord, *, as_json: bool) -> None:
    """The outcome for a person, or the whole record for a machine."""
    if as_json:
        console.print_json(json.dumps(asdict(record), ensure_ascii=False))
        return
    colour = COLOURS.get(record.outcome, "white")
    console.print(f"[bold {colour}]{record.outcome}[/] after {record.seconds:.0f} s: ", end="")
    console.print(record.detail, markup=False)
    for name, address in record.links.items():
        console.print(f"  {name}: {address}", markup=False, soft_wrap=True)
    if record.outcome in NEXT:
        console.print(NEXT[record.outcome], style="dim")
