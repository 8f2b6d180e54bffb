"""Where runs and versions are tracked; known without importing MLflow."""

from __future__ import annotations

import os
from pathlib import Path

from sluice.home import Home


def local_store(home: Home) -> tuple[str, Path]:
    """The embedded store of a home: the database's URI and the folder for artifacts."""
    folder = home.root / "mlflow"
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts"


def tracking_uri(home: Home) -> str:
    """MLFLOW_TRACKING_URI if it is set (a team's server, the stack's), else the embedded store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or local_store(home)[0]
