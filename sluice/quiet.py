"""Nothing phones home: telemetry of every library is off unless the user turned it on."""

from __future__ import annotations

import os

OFF = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_EVALUATE_OFFLINE": "1",  # `evaluate` counts each metric's use over the network otherwise
}


def turn_telemetry_off() -> None:
    """Set each library's own switch in the environment, for this process and its children."""
    for name, value in OFF.items():
        os.environ.setdefault(name, value)
