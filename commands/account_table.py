"""What became of the rows of a preparation, as a table in the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from commands.preparing import Prepared
from sluice.data.counts import most_first

COLOURS = {
    "curated": "green",
    "dropped": "dim",
    "quarantined": "yellow",
    "rejected": "red",
    "augmented": "cyan",
}


def print_account(console: Console, result: Prepared) -> None:
    """How each file was understood, what became of its rows, and where they are."""
    for taken in result.intake.taken:
        console.print(f"[dim]read[/] {escape(taken.told)}")
    total = result.rows_in
    table = Table(box=None, pad_edge=False, title=f"\n{total:,} rows\n", title_justify="left")
    for name, justify in (("", "left"), ("rows", "right"), ("share", "right"), ("why", "left")):
        table.add_column(name, justify=justify)  # pyright: ignore[reportArgumentType]
    for outcome, reasons in result.account.items():
        rows = sum(reasons.values())
        why = ", ".join(f"{reason} {count:,}" for reason, count in most_first(reasons))
        share = f"{rows / total:.1%}" if total else ""
        table.add_row(f"[{COLOURS[outcome]}]{outcome}[/]", f"{rows:,}", share, escape(why))
    console.print(table)
    for note in result.notes:
        console.print(f"[yellow]note[/] {escape(note)}")
    if result.repaired:
        told = ", ".join(f"{name} {rows:,}" for name, rows in most_first(result.repaired))
        console.print(f"\nrows in which something was mended or masked: {escape(told)}")
    seconds = sum(result.seconds.values())
    console.print(f"\n{seconds:.1f} s, {total / max(seconds, 1e-9):,.0f} rows a second")
    console.print(f"The rows: {escape(str(result.output))}/*.parquet")
    console.print(f"Data Docs: {escape(str(result.output / 'data_docs'))}")
