"""The quarantined rows of the newest run, for people."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from commands.console import console
from sluice.data.outcomes import Gone
from sluice.data.privacy import KINDS, Private
from sluice.data.quarantine import Release, find, mended, quarantined, release, shown
from sluice.errors import BatchError
from sluice.home import Home
from sluice.home_recipe import home_recipe
from sluice.trail_record import newest_trail

LISTED = 50


def print_waiting(reason: str | None, *, as_json: bool) -> None:
    """Id, place and reason of each row; no text."""
    rows = [row for row in _waiting() if reason in (None, row.reason)]
    if as_json:
        for row in rows:
            typer.echo(json.dumps(_place(row), ensure_ascii=False))
        return
    if not rows:
        console.print("No row is quarantined in the newest run.")
        return
    table = Table(box=None, title_justify="left", title=_title(rows))
    for name in ("id", "from", "reason", ""):
        table.add_column(name, overflow="fold")
    for row in rows[:LISTED]:
        place = f"{row.record.source}:{row.record.line}"
        table.add_row(row.record.id, escape(place), row.reason, escape(row.detail))
    console.print(table)
    if len(rows) > LISTED:
        console.print(f"… and {len(rows) - LISTED} more: --json prints all.")
    console.print("`sluice quarantine show ID` shows a row, `release ID` sends it back.")


def print_rows(ids: Sequence[str], *, reveal: bool, as_json: bool) -> None:
    """Whole rows, masked unless `reveal`."""
    recipe, _ = home_recipe(Home.current())
    every_kind = recipe.privacy.model_copy(update=dict.fromkeys(KINDS, "mask"))
    private = Private(every_kind)
    for row in find(_waiting(), ids):
        fields = shown(row)
        if not reveal:
            for turn in fields["messages"]:
                turn["content"] = private.mask(turn["content"]).text
        if as_json:
            typer.echo(json.dumps(fields, ensure_ascii=False))
        else:
            _print_row(fields)


def send_back(ids: Sequence[str], fixed: Path | None, by: str, why: str) -> None:
    """Release rows as they are, or as they were mended."""
    waiting = list(_waiting())
    rows = find(waiting, ids)
    for fields in _mended_lines(fixed):
        rows.append(mended(find(waiting, [str(fields.get("id"))])[0], fields))
    if not rows:
        raise BatchError("Name the rows to release, or a file of mended rows with --fixed.")
    path = release(rows, Release(by, why), Home.current().released)
    console.print(
        f"[green]✓[/] {len(rows)} rows come in again with the next run, from {escape(str(path))}"
    )


def _waiting() -> list[Gone]:
    home = Home.current()
    return list(quarantined(newest_trail(home), home.lake))


def _title(rows: Sequence[Gone]) -> str:
    reasons = Counter(row.reason for row in rows)
    told = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    return f"{len(rows)} rows wait for a person: {told}\n"


def _place(row: Gone) -> dict[str, Any]:
    fields = shown(row)
    del fields["messages"]
    return fields


def _print_row(fields: dict[str, Any]) -> None:
    place = f"{fields['source']}:{fields['line']}"
    console.print(f"[bold]{fields['id']}[/]  {escape(place)}  [yellow]{fields['reason']}[/]")
    for turn in fields["messages"]:
        console.print(f"  [dim]{turn['role']:>9}[/]  {escape(turn['content'])}")


def _mended_lines(path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        return [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise BatchError(f"{path} cannot be read as JSON Lines: {error}") from error
