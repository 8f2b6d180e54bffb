"""What the evaluation process is asked to do, by whoever starts it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sluice.errors import EvaluationError
from sluice.evaluation.tokens import Language


@dataclass(frozen=True, slots=True)
class ModelToScore:
    """A model by its role, and its folder in the lake; without a folder it is the base itself."""

    name: str
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """Paths are absolute. `rows` is Parquet of Records; `out` gets `predictions-<name>.parquet`.

    A model with a folder is scored as its `model.json` says: it computes, is prompted and cuts text
    as it was trained and as it is served. The base alone has no such file: `tokenizer`,
    `precision`, `quantization`, `system_prompt` are for it, and are the candidate's.
    """

    base_folder: str
    tokenizer: str
    precision: str
    quantization: str | None
    remote_code: bool
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
