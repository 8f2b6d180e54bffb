"""What each model answered, and how likely it found the reference: one Parquet file for a model."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

from sluice.lake import digest_of

pa_any: Any = pa
parquet: Any = pq
SCHEMA: Any = pa_any.schema(
    [
        ("id", pa_any.string()),
        ("question", pa_any.string()),
        ("reference", pa_any.string()),
        ("answer", pa_any.string()),
        ("answer_tokens", pa_any.int64()),
        ("cut_off", pa_any.bool_()),
        ("nll", pa_any.float64()),
        ("tokens", pa_any.int64()),
        ("label", pa_any.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row.

    `answer_tokens` were generated (the stop token is not counted); `cut_off` means that the limit
    came before a stop token. `nll` is the negative log-likelihood, in nats, of the `tokens` of the
    reference answer with its end-of-turn token. `label` is set where the reference answer is one.
    """

    id: str
    question: str
    reference: str
    answer: str
    answer_tokens: int
    cut_off: bool
    nll: float
    tokens: int
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """All rows of one model, in the order of the evaluation rows."""

    model: str
    rows: tuple[Prediction, ...]

    @property
    def rows_digest(self) -> str:
        """Digest of what was asked and expected: equal for models scored on the same rows."""
        return digest_of([[row.id, row.question, row.reference] for row in self.rows])

    def write(self, folder: Path) -> Path:
        """Write `predictions-<model>.parquet` aside and rename it; returns its path."""
        path = predictions_file(folder, self.model)
        aside = path.with_suffix(".partial")
        table: Any = pa_any.Table.from_pylist([asdict(row) for row in self.rows], schema=SCHEMA)
        parquet.write_table(table, aside)
        return aside.replace(path)

    @classmethod
    def read(cls, folder: Path, model: str) -> Predictions:
        """Read what `write` wrote."""
        rows: list[dict[str, Any]] = parquet.read_table(
            predictions_file(folder, model), schema=SCHEMA
        ).to_pylist()
        return cls(model, tuple(Prediction(**row) for row in rows))


def predictions_file(folder: Path, model: str) -> Path:
    """Where a model's predictions are kept in a folder."""
    return folder / f"predictions-{model}.parquet"


def read_predictions(folder: Path, models: Iterable[str]) -> dict[str, Predictions]:
    """The predictions of several models, by name."""
    return {model: Predictions.read(folder, model) for model in models}
