"""Ask for an approval: write it down, and start the promote flow that shows the form."""

from __future__ import annotations

import logging
from pathlib import Path

from prefect import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
)

from sluice.home import Home
from sluice.recipe import Recipe
from sluice.registry.approvals import Approval, Approvals, new_approval
from sluice.registry.versions import CHAMPION, Version, by_alias
from tasks.job import Job, job_task

log = logging.getLogger("prefect.sluice")


@job_task("ask for approval", lambda _, approval: f"open until {approval.expires}")
def ask_approval(job: Job, version: Version) -> Approval:
    """Ask once; the promote run is started if the promote deployment exists."""
    champion = by_alias(job.tracking_uri, version.name, CHAMPION)
    approval = Approvals(job.home.approvals).ask(
        new_approval(
            version.name,
            version.version,
            version.digest,
            version.evidence_digest,
            champion.version if champion else None,
            job.run_id,
            job.recipe.approval.expires_hours,
        )
    )
    flow_run_id = start_promote_run(job.home, job.recipe, job.recipe_path, approval)
    if flow_run_id:
        job.update(promote_flow_run_id=flow_run_id)
    return approval


def start_promote_run(
    home: Home, recipe: Recipe, recipe_path: Path, approval: Approval
) -> str | None:
    """Start the promote run of an approval, once; None where no deployment serves this model.

    Without one (a run in the foreground, no stack) the approval waits just the same: `sluice
    approve` decides it, or `sluice up` starts its promote run later.
    """
    with get_client(sync_client=True) as client:
        found = client.read_deployments(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["promote"])),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[recipe.model.name])),
        )
        if not found:
            return None
        run = client.create_flow_run_from_deployment(
            found[0].id,
            parameters={
                "recipe_path": str(recipe_path.absolute()),
                "version": approval.version,
                "evidence_digest": approval.evidence_digest,
            },
            name=f"promote-version-{approval.version}",
            idempotency_key=f"promote-{approval.evidence_digest}",
        )
    Approvals(home.approvals).bind_flow_run(approval.evidence_digest, str(run.id))
    return str(run.id)
