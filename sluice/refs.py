"""The small frozen values that pass between steps: they name bytes and never carry them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Ref:
    """A folder of the lake. `uri` is relative to the lake's root; `digest` is of its content."""

    uri: str
    digest: str

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON-ready dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class DatasetRef(Ref):
    """A set of rows in canonical Parquet."""

    rows: int


@dataclass(frozen=True, slots=True)
class ModelRef(Ref):
    """A trained model: an adapter or full weights, with tokenizer and chat template."""

    base: str
    method: str


@dataclass(frozen=True, slots=True)
class Evidence(Ref):
    """Everything a verdict rests on: predictions, scores, report. `verdict` is the gate's word."""

    verdict: str
