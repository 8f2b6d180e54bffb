"""Rows that no model trains on: the evaluation file, which all models are judged by, and guards."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sluice.data.cleaning.clean import CleanSettings, clean_records
from sluice.data.intake.manner import Manner, records_in
from sluice.data.outcomes import HELD_OUT, Gone, Reject
from sluice.data.reading import describe_rejects, find_places
from sluice.data.record import Record
from sluice.errors import BatchError
from sluice.recipe import DataSection


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Cleaned rows of the evaluation file and of the guard files, and those that cleaning drops."""

    evaluation: tuple[Record, ...]
    guards: tuple[Record, ...]
    gone: tuple[Gone, ...]


def read_held_out(section: DataSection, recipe_dir: Path, settings: CleanSettings) -> HeldOut:
    """Read and clean the held-out files; they fit in memory.

    Raises:
        BatchError: a file is not there, or cannot be read whole: a yardstick with holes measures
            something else.
    """
    evaluation, gone = _cleaned(section.evaluation, section, recipe_dir, settings)
    guards = [
        row for path in section.guards for row in _cleaned(path, section, recipe_dir, settings)[0]
    ]
    return HeldOut(evaluation, tuple(guards), gone)


def _cleaned(
    path: Path | None, section: DataSection, recipe_dir: Path, settings: CleanSettings
) -> tuple[tuple[Record, ...], tuple[Gone, ...]]:
    if path is None:
        return (), ()
    if not (recipe_dir / path).is_file():
        raise BatchError(
            f"The held-out file {path} does not exist. `data.evaluation` and `data.guards` are "
            "relative to the recipe's folder."
        )
    records, rejects = read_whole(recipe_dir / path, section)
    if rejects:
        raise BatchError(
            f"The held-out file {path} has {len(rejects)} unreadable lines: "
            f"{describe_rejects(rejects)}. Every model is judged on it; mend it first."
        )
    named = [replace(record, source=HELD_OUT + record.source) for record in records]
    result = clean_records(named, settings)
    return result.kept, result.gone


def read_whole(path: Path, section: DataSection) -> tuple[list[Record], list[Reject]]:
    """All rows of a file that fits in memory, in whatever form it is.

    Raises:
        BatchError: the file cannot be opened, or its form cannot be told.
    """
    place = find_places(str(path.absolute()), None, path.parent)[0]
    found = list(records_in(place, Manner.of(section, section)))
    records = [row for row in found if isinstance(row, Record)]
    return records, [row for row in found if isinstance(row, Reject)]
