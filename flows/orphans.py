"""Flow runs that died together with their worker: nobody else tells Prefect that they are over.

Prefect goes on believing that they run, and they hold the deployment's only slot. They are
scheduled again: a retrain continues after its last complete step, a promotion changes nothing that
it has done already.
"""

from __future__ import annotations

import contextlib
from uuid import UUID

import psutil
from prefect import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Scheduled

ID_VARIABLE = "PREFECT__FLOW_RUN_ID"  # the worker sets it for the process of each run
UNDER_WAY = [StateType.RUNNING, StateType.PENDING]


def reschedule_orphans(model: str) -> list[UUID]:
    """Schedule again the runs of a model whose process is gone; call it while no worker runs."""
    with get_client(sync_client=True) as client:
        under_way = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=UNDER_WAY))
            ),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[model])),
        )
        alive = _alive_runs()
        orphans = [run.id for run in under_way if str(run.id) not in alive]
        for orphan in orphans:
            message = "Its process was gone when the stack started; it continues."
            client.set_flow_run_state(orphan, Scheduled(message=message), force=True)
    return orphans


def _alive_runs() -> set[str]:
    found: set[str] = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found.add(process.environ().get(ID_VARIABLE, ""))
    return found
