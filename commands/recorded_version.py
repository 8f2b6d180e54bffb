"""A registered version with what was recorded when it was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sluice.data.drift import DriftReport
from sluice.errors import RegistryError, SluiceError
from sluice.home import Home
from sluice.home_recipe import home_recipe
from sluice.refs import DatasetRef, ModelRef, Ref
from sluice.registry.versions import CHALLENGER, CHAMPION, Version, by_alias, by_number
from sluice.registry_location import tracking_uri
from sluice.stack.local import point_at_stack
from sluice.training.artifact import TrainedModel
from sluice.training.provenance import PROVENANCE


@dataclass(frozen=True, slots=True)
class Recorded:
    """A registered version, and what the manifest of its model says about its making.

    `facts` are those of `sluice.training.provenance`.
    """

    version: Version
    model: ModelRef
    facts: dict[str, Any]

    @property
    def raw(self) -> tuple[DatasetRef, ...]:
        """The batches that its data was made from."""
        return tuple(DatasetRef.from_json(ref) for ref in self.facts["data"]["raw"])

    @property
    def start(self) -> ModelRef | None:
        """The model that its training went on from."""
        return ModelRef.from_json(self.facts["start"]) if self.facts["start"] else None

    @property
    def drift(self) -> DriftReport | None:
        """What the contracts were told of drift."""
        found = self.facts["data"]["drift"]
        return DriftReport.from_json(found) if found else None


def recorded_version(home: Home, wanted: str) -> Recorded:
    """A version by its number or alias, with its bytes verified.

    Raises:
        RegistryError: there is no such version.
        IntegrityError: its model is not in the lake any more, or was changed.
        SluiceError: it does not say what it was made of.
    """
    version, model = verified_version(home, wanted)
    facts: dict[str, Any] | None = home.lake.manifest(model).get(PROVENANCE)
    if not facts or not facts["data"]:
        raise SluiceError(
            f"Version {version.version} of {version.name} does not say which batches and settings "
            "it was made with: an older Sluice trained it. It cannot be made again by itself; "
            "`sluice run` trains a version that can."
        )
    return Recorded(version, model, facts)


def verified_version(home: Home, wanted: str) -> tuple[Version, ModelRef]:
    """A version by its number or alias, and its model, whose bytes are those of its digest.

    Raises:
        RegistryError: there is no such version.
        IntegrityError: its model is not in the lake any more, or was changed.
    """
    point_at_stack(home)
    version = _version(tracking_uri(home), home_recipe(home)[0].model.name, wanted)
    home.lake.verify(Ref(version.uri, version.digest))
    return version, version.reference(TrainedModel.read(home.lake.root / version.uri))


def _version(uri: str, name: str, wanted: str) -> Version:
    if wanted not in (CHAMPION, CHALLENGER):
        return by_number(uri, name, wanted)
    version = by_alias(uri, name, wanted)
    if version is None:
        raise RegistryError(f"{name} has no {wanted}. `sluice status` shows the versions in use.")
    return version
