"""A sample of the rows that a recipe reads, as cleaning leaves them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sluice.data.cleaning.clean import CleanSettings, clean_table
from sluice.data.intake.manner import Manner, records_in
from sluice.data.reading import Place, find_places
from sluice.data.record import Record, table_of
from sluice.errors import BatchError
from sluice.recipe import DataSection, Recipe, SourceSection

SAMPLE_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of some places. `raw` could be read; `kept` passed cleaning, as a table.

    `gone` counts the others by reason.
    """

    names: tuple[str, ...]
    raw: tuple[Record, ...]
    kept: Any
    gone: dict[str, int]


def read_sample(recipe: Recipe, base_dir: Path, uri: str | None, landing: Path) -> Sample:
    """The first rows of a file, folder, glob or URL; without one, of all that the recipe names.

    Raises:
        BatchError: there is no row to be read.
    """
    found: list[Record] = []
    names: list[str] = []
    for place, manner in _places(recipe, base_dir, uri, landing):
        records = (row for row in records_in(place, manner) if isinstance(row, Record))
        found += islice(records, SAMPLE_ROWS - len(found))
        names.append(place.name)
        if len(found) >= SAMPLE_ROWS:
            break
    if not found:
        raise BatchError(
            f"No row could be read from {uri or 'what the recipe names'}, so there is nothing to "
            "propose a contract from. Name a file with --from."
        )
    cleaned = clean_table(table_of(found), CleanSettings.of(recipe, None))
    return Sample(tuple(names), tuple(found), cleaned.kept, cleaned.counts["gone"])


def _places(
    recipe: Recipe, base_dir: Path, uri: str | None, landing: Path
) -> Iterator[tuple[Place, Manner]]:
    data = recipe.data
    named: list[tuple[DataSection | SourceSection, str, str | None, Path]]
    if uri is not None:
        named = [(data, uri, None, Path.cwd())]
    else:
        named = [(data, str(landing), None, base_dir)] if landing.is_dir() else []
        named += [(s, s.uri, s.name, base_dir) for s in data.sources if s.uri is not None]
    for section, where, name, folder in named:
        manner = Manner.of(section, data)
        yield from ((place, manner) for place in find_places(where, name, folder))
