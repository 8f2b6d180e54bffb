"""Scores of a run as a table in the terminal."""

from __future__ import annotations

from rich.table import Table

from commands.console import console
from sluice.evaluation.display import difference_text, interval_text, name_of, score_text
from sluice.evaluation.score_table import MODELS, Scores
from sluice.home import Home
from sluice.lake import read_json


def print_scores(home: Home, evidence_digest: str) -> None:
    """Base, champion and candidate, and the candidate's difference to the last of the others."""
    folder = home.lake.root / "evidence" / evidence_digest
    scores = Scores.from_json(read_json(folder / "scores.json"))
    models = [model for model in MODELS if model in scores.models]
    other = "champion" if "champion" in models else "base"
    table = Table(
        *("", *models, "difference", f"{scores.confidence:.0%} interval"),
        box=None,
        title=f"\nscores on {scores.rows} rows that no model was trained on; "
        f"difference: candidate − {other}",
        title_justify="left",
    )
    for metric in scores.metrics:
        table.add_row(name_of(metric), *_cells(scores, models, other, metric))
    console.print(table)


def _cells(scores: Scores, models: list[str], other: str, metric: str) -> list[str]:
    difference = scores.differences[other][metric].absolute

    def shown(value: float) -> str:
        return difference_text(metric, value)

    points = [score_text(metric, scores.models[model][metric].value) for model in models]
    interval = interval_text(shown, difference.low, difference.high)
    return [*points, shown(difference.value), interval]
