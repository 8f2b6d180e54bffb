"""Registered versions: what they are bound to, and which of them is challenger or champion.

A version is bound by tags to the digests of model, evidence, data and recipe. Aliases say which
version is which; MLflow's stages are not used. MLflow sets aliases without compare-and-set, so
whoever moves `champion` reads it first and the approval names what it expects to replace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException

from sluice.child_process import run_module
from sluice.errors import RegistryError
from sluice.lake import Lake
from sluice.refs import Evidence, ModelRef
from sluice.registry.connection import client_for, explained
from sluice.training.artifact import TrainedModel

CHAMPION, CHALLENGER = "champion", "challenger"
PUBLISH_SECONDS = 1800.0
MODEL_TAG, URI_TAG = "sluice.model_digest", "sluice.model_uri"
EVIDENCE_TAG = "sluice.evidence_digest"


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version. `uri` is the model's folder in the lake."""

    name: str
    version: str
    digest: str
    uri: str
    evidence_digest: str
    run_id: str

    def reference(self, model: TrainedModel) -> ModelRef:
        """The version's model in the lake."""
        return ModelRef(self.uri, self.digest, base=model.base, method=model.method)


def register(
    tracking_uri: str,
    name: str,
    run_id: str,
    model: ModelRef,
    evidence: Evidence,
    lake: Lake,
    cache: Path,
) -> Version:
    """Register a model once: the same model with the same evidence gives the same version.

    Raises:
        StepProcessError, IntegrityError: the model could not be logged, or reloads differently.
        RegistryError: MLflow failed.
    """
    lake.verify(model)
    with explained(tracking_uri, "looking for the version"):
        found = _find(tracking_uri, name, model.digest, evidence.digest)
    if found is None:
        found = _create(tracking_uri, name, run_id, model, evidence, lake, cache)
    if by_alias(tracking_uri, name, CHAMPION) != found:
        set_challenger(tracking_uri, name, found.version)
    return found


def _create(
    uri: str, name: str, run_id: str, model: ModelRef, evidence: Evidence, lake: Lake, cache: Path
) -> Version:
    facts = TrainedModel.read(lake.path(model))
    tags = {
        MODEL_TAG: model.digest,
        URI_TAG: model.uri,
        EVIDENCE_TAG: evidence.digest,
        "sluice.dataset_digest": facts.dataset_digest,
        "sluice.base_digest": facts.base_digest,
        "sluice.recipe_digest": facts.recipe_digest,
        "sluice.verdict": evidence.verdict,
    }
    logged = _publish(uri, run_id, model, facts, tags, lake, cache)
    with explained(uri, "registering the version"):
        client = client_for(uri)
        try:
            client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        made: Any = client.create_model_version(
            name, source=logged, run_id=run_id, tags=tags, model_id=logged.rpartition("/")[2]
        )
    return _version(made)


def _publish(
    uri: str,
    run_id: str,
    model: ModelRef,
    facts: TrainedModel,
    tags: Mapping[str, str],
    lake: Lake,
    cache: Path,
) -> str:
    work = lake.work(f"publish-{model.digest[:32]}")
    done = run_module(
        "sluice.registry.publish_worker",
        {
            "tracking_uri": uri,
            "run_id": run_id,
            "folder": str(lake.path(model)),
            "base_folder": str(facts.find_base(cache).folder),
            "threads": _threads_of(lake.manifest(model)),
            "metadata": dict(tags),
        },
        work,
        on_event=lambda event: None,
        timeout_seconds=PUBLISH_SECONDS,
    )
    return str(done["model_uri"])


def _threads_of(manifest: Mapping[str, Any]) -> int | None:
    training: Mapping[str, Any] = manifest.get("training") or {}
    choices: Mapping[str, Any] = training.get("choices") or {}
    return choices.get("threads")


def _find(uri: str, name: str, model_digest: str, evidence_digest: str) -> Version | None:
    client = client_for(uri)
    found = [_version(v) for v in client.search_model_versions(f"name = '{name}'")]
    same = (v for v in found if (v.digest, v.evidence_digest) == (model_digest, evidence_digest))
    return next(same, None)


def by_alias(uri: str, name: str, alias: str) -> Version | None:
    """The version that an alias names, or None."""
    with explained(uri, f"reading the alias {alias}"):
        try:
            return _version(client_for(uri).get_model_version_by_alias(name, alias))
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise


def by_number(uri: str, name: str, version: str) -> Version:
    """A version by its number.

    Raises:
        RegistryError: there is no such version.
    """
    with explained(uri, f"reading version {version}"):
        try:
            return _version(client_for(uri).get_model_version(name, version))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            raise RegistryError(
                f"{name} has no version {version}. `sluice status` shows the versions in use."
            ) from error


def set_champion(uri: str, name: str, version: str | None) -> None:
    """Move the alias champion to a version, or take it away (None); challenger gives way to it."""
    with explained(uri, "moving the alias champion"):
        client = client_for(uri)
        if version is None:
            client.delete_registered_model_alias(name, CHAMPION)
            return
        client.set_registered_model_alias(name, CHAMPION, version)
    drop_challenger(uri, name, version)


def set_challenger(uri: str, name: str, version: str) -> None:
    """Let the alias challenger name a version."""
    with explained(uri, "setting the alias challenger"):
        client_for(uri).set_registered_model_alias(name, CHALLENGER, version)


def drop_challenger(uri: str, name: str, version: str) -> None:
    """Take the alias challenger away from a version that was promoted, rejected or has expired."""
    current = by_alias(uri, name, CHALLENGER)
    if current is not None and current.version == version:
        with explained(uri, "removing the alias challenger"):
            client_for(uri).delete_registered_model_alias(name, CHALLENGER)


def tag_version(uri: str, name: str, version: str, tags: Mapping[str, str]) -> None:
    """Write down what became of a version."""
    with explained(uri, "tagging the version"):
        for key, value in tags.items():
            client_for(uri).set_model_version_tag(name, version, key, value)


def _version(found: Any) -> Version:
    tags: dict[str, str] = found.tags or {}
    return Version(
        name=str(found.name),
        version=str(found.version),
        digest=tags.get(MODEL_TAG, ""),
        uri=tags.get(URI_TAG, ""),
        evidence_digest=tags.get(EVIDENCE_TAG, ""),
        run_id=str(found.run_id),
    )
