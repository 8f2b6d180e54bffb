"""Approval, serving, and when a retrain starts by itself."""

from __future__ import annotations

from pydantic import Field

from sluice.recipe.section import Section


class ApprovalSection(Section):
    """A person's yes, bound to the evidence it was given for."""

    expires_hours: float = Field(
        default=72.0, gt=0, description="Unanswered after this time, the candidate is not promoted."
    )


class ServingSection(Section):
    """The gateway: OpenAI-compatible chat completions over the champion."""

    host: str = Field(default="127.0.0.1", description="Address that the gateway listens on.")
    port: int | None = Field(
        default=None, ge=1, le=65535, description="Port of the gateway. None: any free port."
    )
    max_new_tokens: int = Field(
        default=256, ge=1, description="Longest answer, whatever a request asks for."
    )
    smoke_question: str = Field(
        default="Hello!",
        min_length=1,
        description="Asked of every candidate on the gateway itself before it may take traffic.",
    )
    log_requests: bool = Field(
        default=False,
        description="Keep each answered request in `serving/requests/` of SLUICE_HOME, so that "
        "users can rate it (`POST /v1/feedback`) and a source with `gateway: true` can train on "
        "it. These files hold whatever users write, personal data included: they are readable by "
        "the gateway's user alone, and nothing deletes them.",
    )


class ScheduleSection(Section):
    """When a retrain starts by itself."""

    watch_landing: bool = Field(
        default=True,
        description="Start a retrain when a new file has settled in the landing folder.",
    )
    poll_seconds: float = Field(
        default=5.0, gt=0, description="How often the landing folder is looked at."
    )
    settle_seconds: float = Field(
        default=5.0, ge=0, description="A file must keep its size and time this long to be read."
    )
    cron: str | None = Field(
        default=None, description="Also retrain on this cron schedule, e.g. `0 3 * * *`."
    )
