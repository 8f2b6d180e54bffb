"""To retrain or not: doing nothing is an outcome, and has its reason."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sluice.data.drift.compare import DriftReport
from sluice.recipe import DriftSection


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a retrain is worth it, and why."""

    retrain: bool
    reason: str

    def to_json(self) -> dict[str, Any]:
        """The decision as a JSON-ready dictionary."""
        return asdict(self)


def worth_retraining(
    report: DriftReport | None, fresh_rows: int, section: DriftSection
) -> Decision:
    """Decide by how many rows are new, and how new they are. Without a champion, retrain.

    `report` is None where there is nothing to compare with.
    """
    if report is None:
        return Decision(True, f"{fresh_rows} rows, and nothing was trained before.")
    if fresh_rows < section.min_new_rows:
        return Decision(
            False,
            f"{fresh_rows} new rows; a retrain waits for {section.min_new_rows} "
            "(drift.min_new_rows).",
        )
    little = report.novelty is not None and report.novelty < section.skip_below_novelty
    if little and not report.drifted:
        return Decision(
            False,
            f"{report.sentence} A retrain waits for {section.skip_below_novelty:.0%} "
            "(drift.skip_below_novelty).",
        )
    return Decision(True, report.sentence)
