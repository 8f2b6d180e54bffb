"""A flavour of MLflow model that is the lake's own folder, for what the other flavour cannot load.

MLflow's transformers flavour knows no quantised base under an adapter: it loads the base as it
lies on disk, and the adapter then stands on other weights than those it was trained on. Such a
model is logged as the files that it is; whoever loads it says `load_trained` (or PEFT, with the
base stored as `model.json` says).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from sluice.registry.connection import client_for

import mlflow.artifacts  # isort: skip  (after connection, which sets what mlflow reads at import)
from mlflow.models import Model  # isort: skip

FLAVOR_NAME = "sluice"  # MLflow asks a flavour's module for its name
FILES = "files"

_artifacts: Any = mlflow.artifacts  # typed in part only
_model: Any = Model


def save_model(path: str, mlflow_model: Any, folder: Path, **_more: Any) -> None:
    """Write a lake folder as an MLflow model; MLflow calls this as it does any flavour's."""
    out = Path(path)
    shutil.copytree(folder, out / FILES)
    mlflow_model.add_flavor(FLAVOR_NAME, files=FILES)
    mlflow_model.save(str(out / "MLmodel"))


def log_files(store: str, folder: Path, metadata: dict[str, Any]) -> str:
    """Log a lake folder under the active run; returns the logged model's URI."""
    import sluice.registry.logged_files as flavour

    client_for(store)
    info = _model.log(None, flavour, name="model", metadata=metadata, folder=folder)
    return str(info.model_uri)


def fetched_files(store: str, uri: str, out: Path) -> Path:
    """The lake folder that was logged, as MLflow gives it back."""
    client_for(store)
    return Path(_artifacts.download_artifacts(artifact_uri=uri, dst_path=str(out))) / FILES
