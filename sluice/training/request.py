"""What the trainer's process is asked to do, by whoever starts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """Paths are absolute. `train` and `validation` are folders of Records in parts.

    `base` is the model's name in the recipe, `base_folder` its folder on this machine; `start` is
    the folder of a trained model to go on from, or None. `work` keeps checkpoints and events;
    `out` receives the finished model.
    """

    base: str
    base_folder: str
    system_prompt: str | None
    chat_template: str | None
    remote_code: bool
    train: str
    validation: str
    settings: TrainingSection
    start: str | None
    work: str
    out: str

    def to_json(self) -> dict[str, Any]:
        """The request as a JSON-ready dictionary."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {**fields, "settings": self.settings.model_dump(mode="json")}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> TrainingRequest:
        """The inverse of `to_json`.

        Raises:
            TrainingError: keys are missing or unknown.
        """
        try:
            settings = TrainingSection.model_validate(fields["settings"])
            read: dict[str, Any] = {**fields, "settings": settings}
            return cls(**read)
        except (KeyError, TypeError, ValueError) as error:
            raise TrainingError(f"This is no request for a training: {error}.") from error
