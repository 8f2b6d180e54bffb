"""Scores of a run as a table in the terminal."""

from __future__ import annotations

from rich.table import Table

from commands.console import console
from sluice.evaluation.display import difference_text, interval_text, name_of, score_text
from sluice.evaluation.score_table import METRICS, MODELS, Scores
from sluice.home import Home
from sluice.lake import read_json


def print_scores(home: Home, evidence_digest: str) -> None:
    """Base, champion and candidate, and the candidate's difference to the last of the others."""
    folder = home.lake.root / "evidence" / evidence_digest
    scores = Scores.from_json(read_json(folder / "scores.json"))
    models = [model for model in MODELS if model in scores.models]
    other = "champion" if "champion" in models else "base"
    table = Table(
        "score", *models, f"candidate - {other}", f"{scores.confidence:.0%} interval", box=None,
        title=f"\nscores on {scores.rows} rows that no model was trained on", title_justify="left",
    )
    for metric in METRICS:
        difference = scores.differences[other][metric].absolute
        table.add_row(
            name_of(metric),
            *(score_text(metric, scores.models[model][metric].value) for model in models),
            difference_text(metric, difference.value),
            interval_text(
                lambda value, metric=metric: difference_text(metric, value),
                difference.low,
                difference.high,
            ),
        )
    console.print(table)
