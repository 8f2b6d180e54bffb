"""Write a decision down and carry it out; shared by the promote flow and `sluice approve`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from flows.approval_form import ApprovalForm
from sluice.home import Home
from sluice.recipe import Recipe
from sluice.registry.approvals import Approval, Approvals
from sluice.registry.versions import by_number, drop_challenger, tag_version
from sluice.registry_location import tracking_uri
from sluice.run_record import Outcome
from sluice.serving.admin_token import admin_token
from sluice.serving.client import GatewayClient
from sluice.serving.promotion import INTENT_FILE, Desk, heal
from sluice.serving.promotion import promote as promote_version
from sluice.settling import settle
from sluice.stack.local import gateway_for_a_while, read_stack


def decided(home: Home, approval: Approval, form: ApprovalForm) -> Approval:
    """Record what a form says."""
    return Approvals(home.approvals).decide(
        approval.evidence_digest,
        approve=form.decision == "approve",
        approver=form.approver,
        reason=form.reason,
    )


def carry_out(home: Home, recipe: Recipe, approval: Approval) -> tuple[Outcome, str]:
    """Promote an approved version, or set aside one that was rejected or has expired.

    Doing it again changes nothing. Returns the outcome and a sentence about it.
    """
    approval = Approvals(home.approvals).current(approval.evidence_digest)
    name, version = approval.model, approval.version
    if approval.state == "approved":
        with open_desk(home, recipe) as desk:
            staged = promote_version(desk, by_number(desk.tracking_uri, name, version))
        detail = f"version {version} is champion; it answered the smoke question in {staged.seconds:.1f} s"
        outcome: Outcome = "promoted"
    elif approval.state == "used":
        outcome, detail = "promoted", f"version {version} was already promoted"
    else:
        rejected = approval.state == "rejected"
        outcome = "rejected by approver" if rejected else "expired"
        detail = (
            f"{approval.approver} rejected version {version}: {approval.reason or 'no reason given'}"
            if rejected
            else f"nobody decided on version {version} before {approval.expires}"
        )
        uri = tracking_uri(home)
        tag_version(uri, name, version, {"sluice.outcome": outcome})
        drop_challenger(uri, name, version)
    settle(home)
    return outcome, detail


@contextlib.contextmanager
def open_desk(home: Home, recipe: Recipe) -> Iterator[Desk]:
    """The place where a champion is moved: at the running gateway, or one started for this."""
    url = read_stack(home).url("gateway")
    with contextlib.ExitStack() as stack:
        if url is None:
            url = stack.enter_context(gateway_for_a_while(home, recipe))
        token = admin_token(home.serving)
        gateway = stack.enter_context(GatewayClient(url, token))
        yield Desk(home, tracking_uri(home), gateway)


def heal_home(home: Home, recipe: Recipe) -> None:
    """Finish a move of the champion that a crash cut short, if there is one."""
    if (home.serving / INTENT_FILE).exists():
        with open_desk(home, recipe) as desk:
            heal(desk)
