"""Register a candidate that passed the gate, as challenger."""

from __future__ import annotations

from prefect import Task
from prefect.client.schemas.objects import TaskRun
from prefect.states import State

from sluice.errors import RegistryError
from sluice.refs import Evidence, ModelRef
from sluice.registry.tracking import Tracked
from sluice.registry.versions import Version
from sluice.registry.versions import register as register_version
from tasks.job import Job, job_task


async def _is_registry_trouble(_task: Task, _run: TaskRun, state: State) -> bool:
    """Retry a server that did not answer; never a model that reloads differently."""
    return isinstance(await state.aresult(raise_on_failure=False), RegistryError)


@job_task(
    "register",
    lambda _, version: f"version {version.version}",
    retries=2,
    retry_delay_seconds=10,
    retry_condition_fn=_is_registry_trouble,
)
def register(job: Job, trained: tuple[ModelRef, Tracked], evidence: Evidence) -> Version:
    """Log the model, prove that it reloads exactly, register it with its digests."""
    model, tracked = trained
    version = register_version(
        job.tracking_uri,
        job.recipe.model.name,
        tracked.run_id,
        model,
        evidence,
        job.lake,
        job.cache,
    )
    job.update(version=version.version)
    return version
