"""Show a run while it goes on: finished steps as lines, the one under way as a bar."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from commands.console import console
from sluice.durations import told_seconds
from sluice.home import Home
from sluice.run_record import RunRecord, read_records

LOOK_SECONDS = 0.5
WIDE = 110  # columns from which a long bar leaves the words beside it whole


class Follower:
    """Prints what is new in a run's record each time it is asked to look."""

    def __init__(self, home: Home, progress: Progress) -> None:
        self._home, self._progress = home, progress
        self._known = {record.run_id for record in read_records(home.runs)}
        self._shown: set[str] = set()
        self._told: set[str] = set()
        self._offset = 0
        self._bar = progress.add_task("starting", total=None)

    def look(self) -> RunRecord | None:
        """Show progress; returns the record of the run that is followed, once it has begun."""
        new = [r for r in read_records(self._home.runs) if r.run_id not in self._known]
        if not new:
            return None
        record = new[-1]
        for step in record.steps:
            if step.name not in self._shown:
                self._shown.add(step.name)
                self._progress.print(step_line(step.name, step.seconds, step.detail))
                self._progress.reset(self._bar, total=None, description="working")
        events = self._new_events(record)
        for event in events:
            self._tell_notice(event)
        texts = [shown for shown in map(bar_of, events) if shown]
        if texts:
            text, done, total = texts[-1]
            self._progress.update(self._bar, description=text, completed=done, total=total)
        return record

    def _new_events(self, record: RunRecord) -> list[dict[str, Any]]:
        path = self._home.runs / record.run_id / "progress.jsonl"
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._offset)
            lines = [line for line in file if line.endswith(b"\n")]
        self._offset += sum(len(line) for line in lines)
        return [json.loads(line) for line in lines]

    def _tell_notice(self, event: dict[str, Any]) -> None:
        # A resumed training tells again what was told before it was stopped.
        if event.get("kind") == "notice" and event["text"] not in self._told:
            self._told.add(event["text"])
            self._progress.print(f"[yellow]![/] {escape(event['text'])}")


def bar_of(event: dict[str, Any]) -> tuple[str, int, int] | None:
    """What the bar says of an event of training or evaluation, steps done, and all of them.

    None where it says nothing of them: a notice, a validation loss.
    """
    if event.get("kind") == "start":
        step, total = event["resumed_from_step"], event["total_steps"]
        told = f", from step {step} on" if step else ""
        return f"training  {total} steps{told}", step, total
    if event.get("kind") == "step":
        step, total = event["step"], event["total_steps"]
        parts = [f"training  step {step}/{total}", f"loss {event['loss']:.3f}"]
        if event["tokens_per_second"]:  # not known of a first step
            parts.append(f"{event['tokens_per_second']:.0f} tokens/s")
        parts.append(f"about {told_seconds(event['seconds_left'])} left")
        return "  ".join(parts), step, total
    if "phase" in event:
        return f"{event['model']}: {event['phase']}", event["done"], event["total"]
    return None


def step_line(name: str, seconds: float, detail: str) -> str:
    """One finished step as people see it."""
    return f"[green]✓[/] {name:<24} {seconds:>7.1f} s  [dim]{escape(detail)}[/]"


@contextlib.contextmanager
def progress_shown() -> Iterator[Progress]:
    """A live display under which finished steps are printed as lines."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30 if console.width >= WIDE else 8),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress


@contextlib.contextmanager
def following(home: Home, *, quiet: bool) -> Iterator[None]:
    """Follow the run that begins inside the block, from a thread."""
    if quiet:
        yield
        return
    over = threading.Event()
    with progress_shown() as progress:
        follower = Follower(home, progress)

        def look() -> None:
            while not over.wait(LOOK_SECONDS):
                follower.look()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            follower.look()
