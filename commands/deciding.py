"""Decide on a pending approval: through the waiting promote run, or directly where none waits."""

from __future__ import annotations

from sluice.errors import ApprovalError
from sluice.home import Home
from sluice.home_recipe import home_recipe
from sluice.registry.approvals import Approval, Approvals
from sluice.stack.local import point_at_stack

WAIT_SECONDS = 300.0


def decide(
    home: Home, decision: str, version: str | None, approver: str, reason: str
) -> tuple[str, str]:
    """Record the decision and have it carried out; returns the outcome and a sentence about it.

    Raises:
        ApprovalError: nothing waits, or more than one does and none was named.
        StackError: the promote run did not end in time; it goes on by itself.
    """
    recipe, _ = home_recipe(home)
    approval = choose(home, version)
    stack = point_at_stack(home)
    form = {"decision": decision, "approver": approver, "reason": reason}
    from flows.approval_form import checked_form  # Prefect reads its settings when it is imported

    filled_in = checked_form(form)
    if stack.url("prefect") and approval.flow_run_id:
        from commands.promote_run import answer, may_wait

        if may_wait(approval.flow_run_id):
            return answer(approval.flow_run_id, form, WAIT_SECONDS)
    # No promote run waits for the form (no stack, or the run has crashed): decide right here.
    from flows.deciding import carry_out, decided

    decided(home, approval, filled_in)
    return carry_out(home, recipe, approval)


def choose(home: Home, version: str | None) -> Approval:
    """The approval that is meant: one that waits, or whose decision was not carried out yet.

    Raises:
        ApprovalError: there is none, or the choice is not clear.
    """
    pending = [a for a in Approvals(home.approvals).all() if a.state in ("asked", "approved")]
    named = [approval for approval in pending if version in (None, approval.version)]
    if len(named) == 1:
        return named[0]
    if not named:
        asked_for = f"Version {version} is not a version that" if version else "No version"
        waiting = ", ".join(approval.version for approval in pending) or "none"
        raise ApprovalError(
            f"{asked_for} waits for approval (waiting now: {waiting}). `sluice status` shows what "
            "was promoted, rejected or has expired."
        )
    versions = ", ".join(approval.version for approval in named)
    raise ApprovalError(f"Several versions wait ({versions}): name one, e.g. `sluice approve 2`.")
