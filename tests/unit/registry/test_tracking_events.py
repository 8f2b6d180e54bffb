"""What MLflow shows of a training beside its losses, in a real store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.registry import tracking
from sluice.registry.connection import client_for
from sluice.registry.tracking import NOTICES_TAG, EventFeed, open_run, send_history

pytestmark = [pytest.mark.server, pytest.mark.filterwarnings("default")]
NOTICE = {"kind": "notice", "text": "Memory did not suffice.", "time_ms": 1500}
STEPS: list[dict[str, Any]] = [
    {
        "kind": "step",
        "step": step,
        "time_ms": 1000 * step,
        "loss": 1.0,
        "tokens_per_second": 250.0,
        "memory_bytes": 3_000_000_000,
    }
    for step in (1, 2)
]


@pytest.mark.parametrize("live", [True, False], ids=["live", "afterwards"])
def test_speed_memory_and_notices_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live: bool
) -> None:
    monkeypatch.setattr(tracking, "SEND_SECONDS", 0.0)
    run = open_run(f"sqlite:///{tmp_path}/mlflow.db", "shop", "key", {}, tmp_path / "artifacts")
    # A training that resumed tells an earlier notice again.
    events = [STEPS[0], NOTICE, NOTICE, STEPS[1]]
    if live:
        feed = EventFeed(run)
        for event in events:
            feed(event)
    else:
        send_history(run, iter(events))
    data = client_for(run.uri).get_run(run.run_id).data
    assert data.metrics["train/tokens_per_second"] == 250.0
    assert data.metrics["train/memory_gb"] == 3.0
    assert data.tags[NOTICES_TAG] == NOTICE["text"]
