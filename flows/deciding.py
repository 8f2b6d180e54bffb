"""Write a decision down and carry it out; shared by the promote flow and `sluice approve`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from flows.approval_form import ApprovalForm
from sluice.home import Home
from sluice.recipe import Recipe
from sluice.registry.approvals import Approval, Approvals
from sluice.registry.versions import (
    CHALLENGER,
    by_alias,
    by_number,
    drop_challenger,
    tag_version,
)
from sluice.registry_location import tracking_uri
from sluice.run_record import Outcome
from sluice.serving.admin_token import admin_token
from sluice.serving.client import GatewayClient
from sluice.serving.promotion import INTENT_FILE, Desk, heal
from sluice.serving.promotion import promote as promote_version
from sluice.settling import OUTCOMES, settle, told
from sluice.stack.local import gateway_for_a_while, gateway_url


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
    if approval.state == "approved":
        with open_desk(home, recipe) as desk:
            version = by_number(desk.tracking_uri, approval.model, approval.version)
            promote_version(desk, version)
    elif approval.state in ("rejected", "expired"):
        set_aside(home, approval)
    settle(home)
    after = Approvals(home.approvals).current(approval.evidence_digest)
    return OUTCOMES[after.state], told(after)


def set_aside(home: Home, approval: Approval) -> None:
    """Take the alias challenger from a version that nobody will promote any more."""
    uri = tracking_uri(home)
    tag_version(uri, approval.model, approval.version, {"sluice.outcome": approval.state})
    drop_challenger(uri, approval.model, approval.version)


def sweep(home: Home, model: str) -> None:
    """Set aside a challenger whose approval has expired while nobody was looking."""
    challenger = by_alias(tracking_uri(home), model, CHALLENGER)
    for approval in Approvals(home.approvals).all() if challenger else ():
        is_it = challenger is not None and approval.version == challenger.version
        if is_it and approval.state in ("rejected", "expired"):
            set_aside(home, approval)


@contextlib.contextmanager
def open_desk(home: Home, recipe: Recipe) -> Iterator[Desk]:
    """The place where a champion is moved: at the running gateway, or one started for this."""
    url = gateway_url(home)
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
