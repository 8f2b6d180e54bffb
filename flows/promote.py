"""The promote flow: show the evidence, wait for a person without holding a worker, then promote.

A deployment of its own: a flow body starts again from its top when it resumes, and an approval
that waits for days must not block the next retrain. Everything before the form can therefore be
done again without effect, and the decision is read from the approval's record, not from the fact
that the run was resumed.
"""

from __future__ import annotations

from pathlib import Path

from prefect import flow, get_run_logger
from prefect.flow_runs import suspend_flow_run
from prefect.states import Completed, Failed, State

from flows.approval_form import ApprovalForm
from flows.deciding import carry_out, decided
from sluice.errors import SluiceError
from sluice.home import Home
from sluice.quiet import turn_telemetry_off
from sluice.recipe_file import load_recipe
from sluice.registry.approvals import Approval, Approvals
from sluice.stack.local import point_at_stack


@flow(name="promote", retries=0)
def promote(recipe_path: str, version: str, evidence_digest: str) -> State:
    """Ask for a decision on a version and carry it out."""
    turn_telemetry_off()
    home = Home.current()
    point_at_stack(home)
    try:
        recipe = load_recipe(Path(recipe_path))
        approval = Approvals(home.approvals).get(evidence_digest)
        if approval.state == "asked" and not approval.is_over:
            approval = decided(home, approval, _ask(home, approval))
        outcome, detail = carry_out(home, recipe, approval)
    except SluiceError as error:
        get_run_logger().error("%s", error)
        return Failed(message=str(error))
    return Completed(name=outcome.capitalize(), message=detail)


def _ask(home: Home, approval: Approval) -> ApprovalForm:
    """Suspend until the form is filled in; the process ends meanwhile, and nothing waits."""
    evidence = home.lake.root / "evidence" / approval.evidence_digest / "evidence.md"
    description = f"{_binding(approval)}\n\n{evidence.read_text(encoding='utf-8')}"
    form = ApprovalForm.with_initial_data(description=description)
    return suspend_flow_run(
        wait_for_input=form, timeout=approval.seconds_left, key=f"decide-{approval.version}"
    )


def _binding(approval: Approval) -> str:
    replaces = f"version {approval.replaces}" if approval.replaces else "no version yet"
    return (
        f"This decides on **version {approval.version}** of **{approval.model}** "
        f"(model `{approval.model_digest[:12]}`, evidence `{approval.evidence_digest[:12]}`), "
        f"which would replace {replaces}. Open until {approval.expires}."
    )
