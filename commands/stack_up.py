"""Bring the local stack up: servers first, then deployments, then what uses them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from commands.console import console
from sluice.home import Home, cache_dir
from sluice.recipe import Recipe
from sluice.stack.local import (
    Stack,
    changing,
    point_at_stack,
    read_stack,
    save_stack,
    start_gateway,
    start_mlflow,
    start_prefect,
    start_watcher,
    start_worker,
    stop_stack,
    wait_for,
)
from sluice.stack.service import Service, stop
from sluice.training.base_model import base_of


def bring_up(home: Home, recipe: Recipe, recipe_path: Path) -> Stack:
    """Start whatever does not run yet; if that fails, what was started is stopped again.

    Raises:
        StackError: a server did not start.
        BaseModelError: the base model cannot be had.
    """
    with changing(home):
        running = set(read_stack(home).services)
        try:
            with console.status("fetching the base model"):
                base_of(recipe.model, cache_dir())
            with console.status("starting servers"):
                _start_servers(home, recipe)
            _start_workers(home, recipe, recipe_path)
        except BaseException:
            if not running:
                stop_stack(home)
            raise
    return read_stack(home)


def _start_servers(home: Home, recipe: Recipe) -> None:
    starters: dict[str, Callable[[], Service]] = {
        "prefect": lambda: start_prefect(home),
        "mlflow": lambda: start_mlflow(home),
        "gateway": lambda: start_gateway(home, recipe),
    }
    missing = [name for name in starters if not _runs(home, name)]
    if {"prefect", "mlflow"} & set(missing):
        _stop_users(home)
    started = [_add(home, starters[name]) for name in missing]
    wait_for(home, *started)


def _start_workers(home: Home, recipe: Recipe, recipe_path: Path) -> None:
    stack = point_at_stack(home)
    prefect = str(stack.url("prefect"))
    # After the addresses are set: Prefect reads its settings when it is imported.
    from flows.deciding import heal_home
    from flows.deploy import POOL, deploy
    from flows.orphans import reschedule_orphans

    with console.status("creating deployments"):
        heal_home(home, recipe)
        deploy(home, recipe, recipe_path)
    if not _runs(home, "worker"):
        reschedule_orphans(recipe.model.name)
        _add(home, lambda: start_worker(home, POOL, prefect))
    if recipe.schedule.watch_landing and not _runs(home, "watcher"):
        _add(home, lambda: start_watcher(home, recipe_path.absolute(), prefect))


def _stop_users(home: Home) -> None:
    """Stop the worker and the watcher: they know the old addresses of servers that start anew."""
    for name, service in read_stack(home).services.items():
        if name in ("worker", "watcher"):
            stop(service)


def _runs(home: Home, name: str) -> bool:
    return name in read_stack(home).services


def _add(home: Home, start: Callable[[], Service]) -> Service:
    """Start a server and write it down at once: what is not written down could not be stopped."""
    service = start()
    save_stack(home, read_stack(home).with_service(service))
    return service
