"""Where MLflow is, and how its trouble is told: one clear sentence, never a traceback."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Generator
from functools import lru_cache
from pathlib import Path

from sluice.errors import RegistryError, SluiceError

# Set before mlflow is imported, which reads them once. A dead server must not hold a step up:
# MLflow's own default is 7 retries with growing pauses, several minutes for each call.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")

import mlflow
from mlflow import MlflowClient

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)


def client_for(uri: str) -> MlflowClient:
    """A client of one tracking store.

    MLflow resolves some addresses through its global store even so: that one is set as well, each
    time, since a process may speak to the embedded store first and to a server later.
    """
    mlflow.set_tracking_uri(uri)
    return _client(uri)


@lru_cache(maxsize=4)
def _client(uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextlib.contextmanager
def explained(uri: str, doing: str) -> Generator[None]:
    """Turn any trouble of MLflow's into a RegistryError that says what was being done."""
    try:
        yield
    except SluiceError:
        raise
    except Exception as error:  # mlflow raises from its own tree, requests' and SQLAlchemy's
        first = (str(error).splitlines() or [""])[0]
        raise RegistryError(
            f"MLflow at {uri} failed while {doing}: {type(error).__name__}: {first[:300]} "
            "What was trained and scored is kept; when MLflow answers, run again to continue."
        ) from error


def experiment_id(uri: str, name: str, artifacts: Path) -> str:
    """The experiment of a model, made at first use.

    The embedded store keeps artifacts in a local folder; a team's server decides that itself.
    """
    client = client_for(uri)
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = None if uri.startswith("http") else (artifacts / name).as_uri()
    # The kind makes the UI open on runs and loss curves instead of on traces.
    kind = {"mlflow.experimentKind": "custom_model_development"}
    return str(client.create_experiment(name, artifact_location=place, tags=kind))
