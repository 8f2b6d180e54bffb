"""Answer the form of a promote run that waits, and follow the run to its end."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.exceptions import FlowPauseTimeout, ObjectNotFound
from prefect.flow_runs import resume_flow_run

from sluice.errors import ApprovalError, StackError

LOOK_SECONDS = 0.5
FORM_LOOKS = 10


def may_wait(flow_run_id: str) -> bool:
    """Whether a promote run can still come to its form."""
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(UUID(flow_run_id)).state
        except ObjectNotFound:
            return False
    return state is not None and not state.is_final()


def answer(flow_run_id: str, form: dict[str, Any], seconds: float) -> tuple[str, str]:
    """Fill in the form through Prefect's API, as its UI does; returns the run's outcome and detail.

    Raises:
        ApprovalError: the run is over already, or failed in carrying the decision out.
        StackError: the run did not come to its form, or not to its end, in time.
    """
    deadline = time.monotonic() + seconds
    run = UUID(flow_run_id)
    _wait(run, lambda state: state.name == "Suspended", deadline, "did not show its form")
    _fill_in(run, form)
    state = _wait(run, lambda state: state.is_final(), deadline, "did not end")
    if not state.is_completed():
        raise ApprovalError(f"The promote run {run} failed: {state.message}")
    return state.name.lower(), state.message or ""


def _fill_in(run: UUID, form: dict[str, Any]) -> None:
    for attempt in range(FORM_LOOKS):
        try:
            resume_flow_run(run, run_input=form)
            return
        except FlowPauseTimeout as error:
            raise ApprovalError(f"The promote run {run} is no longer waiting: {error}") from error
        except RuntimeError as error:
            # The run is suspended a moment before its form is there; a form that the server
            # refuses is told in the same way.
            if attempt == FORM_LOOKS - 1:
                raise ApprovalError(f"Prefect did not take the decision: {error}") from error
            time.sleep(LOOK_SECONDS)


def _wait(run: UUID, wanted: Any, deadline: float, trouble: str) -> Any:
    with get_client(sync_client=True) as client:
        while time.monotonic() < deadline:
            state = client.read_flow_run(run).state
            if state is not None and wanted(state):
                return state
            if state is not None and state.is_final():
                raise ApprovalError(
                    f"The promote run {run} is over already ({state.name}): {state.message}"
                )
            time.sleep(LOOK_SECONDS)
    raise StackError(
        f"The promote run {run} {trouble} in time. It goes on by itself if a worker runs: look "
        "at it in the Prefect UI, and at `sluice status`."
    )
