"""The demo: what a user would do by hand over a morning, through the same public interfaces."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from rich.table import Table

from commands.addresses import print_addresses
from commands.console import console
from commands.deciding import decide
from commands.follow import Follower, progress_shown
from commands.scores_table import print_scores
from commands.stack_up import bring_up
from sluice.data.ingest import is_ingested
from sluice.data.record import Message
from sluice.errors import SluiceError, StackError
from sluice.freshness import nothing_new
from sluice.home import Home
from sluice.home_recipe import settle_in
from sluice.recipe import Recipe
from sluice.run_record import RunRecord
from sluice.serving.client import GatewayClient
from sluice.settling import settle
from sluice.stack.local import Stack, read_stack, stop_stack

RETRAIN_SECONDS = 3600.0
LOOK_SECONDS = 0.5


def demonstrate(
    home: Home, recipe_path: Path, batch: Path, question: str | None, *, keep: bool, ask: bool
) -> None:
    """Run the demo; the stack is stopped at the end unless `keep`. `ask` leaves the decision open.

    Raises:
        SluiceError: a step failed; the message says which.
    """
    for path in (recipe_path, batch):
        if not path.is_file():
            raise SluiceError(
                f"There is no file {path}. The demo's recipe and data are part of the checkout: "
                "run it there (`make demo`), or name others."
            )
    recipe = settle_in(home, recipe_path)
    was_up = bool(read_stack(home).services)
    stack = bring_up(home, recipe, recipe_path)
    try:
        print_addresses(home, stack)
        record = _earlier(home, recipe, batch) or _retrain(home, recipe, batch)
        if record.outcome == "failed":
            raise SluiceError(record.detail)
        _show_evidence(home, record)
        if record.outcome == "awaiting approval" and not ask:
            _approve(home, record)
        _ask_both(home, recipe, stack, question)
        _say_where(stack, record)
    finally:
        if not keep and not was_up:
            with console.status("stopping what was started"):
                stop_stack(home)
            console.print("The stack is stopped. `make demo KEEP=1` leaves it up.", style="dim")


def _earlier(home: Home, recipe: Recipe, batch: Path) -> RunRecord | None:
    """The run that has judged this batch already, if the demo was done before."""
    reason = nothing_new(home, recipe, [batch])
    if reason is None:
        return None
    console.print(reason, markup=False)
    return next(record for record in settle(home) if record.evidence_digest)


def _retrain(home: Home, recipe: Recipe, batch: Path) -> RunRecord:
    """Drop the batch into the landing folder; the watcher does the rest.

    A batch that an interrupted demo took in already is nothing new to the watcher: then the
    deployment's run is started here, and continues where that one stopped.
    """
    home.landing.mkdir(parents=True, exist_ok=True)
    with progress_shown() as progress:
        follower = Follower(home, progress)
        taken_in = is_ingested(batch, home.lake, recipe.data)
        aside = home.landing / f".{batch.name}"
        shutil.copyfile(batch, aside)
        aside.rename(home.landing / batch.name)
        progress.print(f"dropped {batch} into {home.landing}; the watcher starts a retrain")
        if taken_in:
            from flows.landing_watch import start_again

            start_again(f"retrain/{recipe.model.name}")
        deadline = time.monotonic() + RETRAIN_SECONDS
        while time.monotonic() < deadline:
            record = follower.look()
            if record is not None and record.outcome != "running":
                return record
            time.sleep(LOOK_SECONDS)
    raise StackError(f"No retrain ended within {RETRAIN_SECONDS:.0f} s. See {home.logs}.")


def _show_evidence(home: Home, record: RunRecord) -> None:
    console.print()
    table = Table("step", "seconds", "", title="stages", title_justify="left", box=None)
    for step in record.steps:
        table.add_row(step.name, f"{step.seconds:.1f}", step.detail)
    table.add_row("[bold]all[/]", f"[bold]{record.seconds:.1f}[/]", "")
    console.print(table)
    if record.evidence_digest:
        print_scores(home, record.evidence_digest)
    console.print(f"[bold]{record.outcome}[/]: ", end="")
    console.print(record.detail, markup=False)


def _approve(home: Home, record: RunRecord) -> None:
    console.print("\nApproving as `sluice approve` does, through the form of the promote run …")
    outcome, detail = decide(
        home, "approve", record.version, "the demo", "approved by the demo, not by a person"
    )
    if outcome != "promoted":
        raise SluiceError(f"The approval ended as {outcome}: {detail}")
    console.print(f"[bold green]{outcome}[/]: ", end="")
    console.print(detail, markup=False)


def _ask_both(home: Home, recipe: Recipe, stack: Stack, question: str | None) -> None:
    asked = question or recipe.serving.smoke_question
    with GatewayClient(str(stack.url("gateway"))) as gateway:
        ready = gateway.ready()
        if not ready.ready:
            console.print(f"No question was asked: {ready.reason}", markup=False)
            return
        message = [Message("user", asked)]
        limit = recipe.evaluation.max_new_tokens
        base = gateway.chat(message, "base", limit)
        served = gateway.chat(message, recipe.model.name, limit)
    table = Table(title=f"\n{asked}", title_justify="left", show_lines=True)
    table.add_column("base model", ratio=1)
    table.add_column(f"{recipe.model.name}, version {served.version}", ratio=1)
    table.add_row(base.text, served.text)
    console.print(table)


def _say_where(stack: Stack, record: RunRecord) -> None:
    places = {**record.links, "gateway": f"{stack.url('gateway')}/v1/chat/completions"}
    if record.flow_run_id:
        run = f"{stack.url('prefect')}/runs/flow-run/{record.flow_run_id}"
        places = {"Prefect run": run, **places}
    for name, address in places.items():
        console.print(f"{name:<12} {address}", markup=False, soft_wrap=True)
