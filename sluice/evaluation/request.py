"""What the evaluation process is asked to do, by whoever starts it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sluice.errors import EvaluationError
from sluice.evaluation.tokens import Language


@dataclass(frozen=True, slots=True)
class ModelToScore:
    """A model by its role; without an adapter it is the base model itself."""

    name: str
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """Paths are absolute. `rows` is Parquet of Records; `precision` is `fp32` or `bf16`.

    `out` receives `predictions-<name>.parquet`.
    """

    base_folder: str
    tokenizer: str
    precision: str
    threads: int | None
    language: Language
    system_prompt: str | None
    models: tuple[ModelToScore, ...]
    rows: str
    max_new_tokens: int
    batch_size: int
    out: str

    def to_json(self) -> dict[str, Any]:
        """The request as a JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> EvaluationRequest:
        """The inverse of `to_json`.

        Raises:
            EvaluationError: keys are missing or unknown, or two models share a name.
        """
        try:
            models = tuple(ModelToScore(**model) for model in fields["models"])
            read: dict[str, Any] = {**fields, "models": models}
            request = cls(**read)
        except (KeyError, TypeError) as error:
            raise EvaluationError(f"This is no request for an evaluation: {error}.") from error
        names = [model.name for model in models]
        if not names or len(set(names)) != len(names):
            raise EvaluationError(f"Name each model once, and at least one; got {names}.")
        return request
