"""Candidates that nobody decided on in time."""

from __future__ import annotations

from sluice.home import Home
from sluice.registry.approvals import Approvals
from sluice.registry.versions import CHALLENGER, by_alias, drop_challenger, tag_version
from sluice.registry_location import tracking_uri


def set_aside_expired(home: Home, model: str) -> None:
    """Take the alias challenger from a version whose approval has expired.

    Its promote run is ended by Prefect's server, where no process of ours runs that could do so.
    """
    expired = {a.version for a in Approvals(home.approvals).all() if a.state == "expired"}
    if not expired:
        return
    uri = tracking_uri(home)
    challenger = by_alias(uri, model, CHALLENGER)
    if challenger is not None and challenger.version in expired:
        tag_version(uri, model, challenger.version, {"sluice.outcome": "expired"})
        drop_challenger(uri, model, challenger.version)
