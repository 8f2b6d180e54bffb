"""Create the work pool and the deployments of a recipe: `retrain/<model>` and `promote/<model>`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prefect import Flow, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import EntrypointType, RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists

from flows.promote import promote
from flows.promotion_request import start_promote_run
from flows.retrain import retrain
from sluice.home import Home
from sluice.quiet import OFF
from sluice.recipe import Recipe
from sluice.registry.approvals import Approvals

POOL = "sluice"


def deploy(home: Home, recipe: Recipe, recipe_path: Path) -> list[str]:
    """Create or update the deployments; returns their names. Approvals that wait get their form."""
    _create_pool()
    path = str(recipe_path.absolute())
    names = [
        _apply(retrain, home, recipe, {"recipe_path": path}, cron=recipe.schedule.cron),
        _apply(promote, home, recipe, None, cron=None),
    ]
    for approval in Approvals(home.approvals).pending():
        if approval.flow_run_id is None:
            start_promote_run(home, recipe, recipe_path, approval)
    return names


def _create_pool() -> None:
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            return


def _apply(
    flow: Flow[..., Any],
    home: Home,
    recipe: Recipe,
    parameters: dict[str, Any] | None,
    cron: str | None,
) -> str:
    deployment = RunnerDeployment.from_flow(
        flow,
        name=recipe.model.name,
        parameters=parameters,
        cron=cron,
        description=flow.description,
        # A module path works wherever the package is installed; a file path only in a checkout.
        entrypoint_type=EntrypointType.MODULE_PATH,
        # A retrain that is due while one runs waits its turn: its batch must not be lost. And an
        # approved promotion that finds the slot taken must not be cancelled.
        concurrency_limit=ConcurrencyLimitConfig(
            limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
        ),
        job_variables={"env": _environment(home)},
        work_pool_name=POOL,
    )
    deployment.apply(work_pool_name=POOL)
    return f"{flow.name}/{recipe.model.name}"


def _environment(home: Home) -> dict[str, str]:
    """What a flow run must be told wherever the worker starts it."""
    passed = ("SLUICE_CACHE", "HF_HUB_OFFLINE", "HF_HOME")
    there = {name: os.environ[name] for name in passed if name in os.environ}
    return {**OFF, "SLUICE_HOME": str(home.root), **there}
