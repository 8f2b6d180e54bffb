"""Ingest: whatever is new in the landing folder and the other sources becomes batches in the lake.

The same bytes under the same name give the same batch, and nothing is read twice. The parts are in
`sluice.data.intake`:

run                  one ingest over all sources
news                 is there anything new?
stamps, seen         what is as it was, told without reading it
settled              files that are still being written wait
offers, copies       what a source holds, made readable where the work is done
gateway_log          the gateway's own log of rated answers
manner               how rows are understood
take                 all of a place, only what was appended, or a version that replaces another
batch                one batch in the lake, or refused
parts_of_place       the reading itself, on many processes
watermark            what was read, up to where, and when
live, withdrawal     which batches count
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.data.compute import Done, Engine, ThisProcess, untold
from sluice.data.intake.batch import require_within
from sluice.data.intake.manner import Manner
from sluice.data.intake.news import (
    Shelves,
    is_ingested,
    landed,
    may_have_news,
    place_of,
    unseen_files,
)
from sluice.data.intake.run import Intake, IntakeRun, Refused
from sluice.data.intake.take import Desk, Taken
from sluice.data.intake.watermark import PlaceRead, read_watermark
from sluice.data.reading import Place
from sluice.errors import BatchError
from sluice.lake import Lake, file_digest
from sluice.recipe import DataSection
from sluice.recipe.data import LANDING, TAKEN_NAMES
from sluice.refs import DatasetRef

__all__ = [
    "Intake",
    "Refused",
    "Shelves",
    "Taken",
    "ingest_file",
    "ingest_files",
    "ingest_new",
    "ingest_places",
    "is_ingested",
    "may_have_news",
    "unseen_files",
]


def ingest_new(
    lake: Lake,
    data: DataSection,
    shelves: Shelves,
    engine: Engine,
    *,
    settle_seconds: float,
    done: Done = untold,
) -> Intake:
    """Take in all that is new; what is refused does not stop the rest.

    Args:
        lake: where it goes.
        data: the recipe's section: sources, forms and limits.
        shelves: where the landing folder and the gateway's log are.
        engine: where the reading is done.
        settle_seconds: how long a file must have kept its size and time; waited for once.
        done: told of progress, in shards of one place.
    """
    run = IntakeRun(data, Desk(lake, engine, data.max_reject_share, done), settle_seconds)
    run.take_files(LANDING, Manner.of(data, data), landed(shelves.landing))
    for source in data.sources:
        run.take_source(source, shelves.requests)
    run.digests.save()
    return run.intake


def ingest_files(
    paths: list[Path], lake: Lake, data: DataSection, engine: Engine, done: Done = untold
) -> Intake:
    """Take in these files as if they lay in the landing folder.

    Raises:
        BatchError: one does not exist, or its format is unknown.
    """
    return ingest_places([place_of(path) for path in paths], lake, data, engine, done)


def ingest_places(
    places: Sequence[Place], lake: Lake, data: DataSection, engine: Engine, done: Done = untold
) -> Intake:
    """Take in these places as if they lay in the landing folder.

    Raises:
        BatchError: two of them have one name, or one a name that tells another kind of row.
    """
    _refuse_same_names(places)
    _refuse_taken_names(places)
    run = IntakeRun(data, Desk(lake, engine, data.max_reject_share, done), settle_seconds=0.0)
    run.take_files(LANDING, Manner.of(data, data), places)
    run.digests.save()
    return run.intake


def ingest_file(
    path: Path, lake: Lake, data: DataSection, engine: Engine | None = None
) -> DatasetRef:
    """Take in one file as if it lay in the landing folder; returns its newest batch.

    Raises:
        BatchError: the file is unreadable, changed while it was read, or has a larger share of
            unreadable lines than `data.max_reject_share`.
    """
    intake = ingest_files([path], lake, data, engine or ThisProcess())
    if intake.refused:
        raise intake.refused[0].error
    batches = _read_of(path, lake).batches
    for batch in batches:  # it may have been read when the limit was another
        require_within(lake.manifest(batch.ref), data.max_reject_share, lake.path(batch.ref))
    return batches[-1].ref


def _refuse_same_names(places: Sequence[Place]) -> None:
    """Of two files of one name, the second would be taken for a newer version of the first."""
    known: dict[str, str] = {}
    for place in places:
        first = known.setdefault(place.name, place.uri)
        if first != place.uri:
            raise BatchError(
                f"{first} and {place.uri} would both be known as {place.name}. Rename one of them, "
                "or name the folder above them."
            )


def _refuse_taken_names(places: Sequence[Place]) -> None:
    """Rows from below `held-out/` or `released/` would be taken for those that Sluice calls so."""
    for place in places:
        folder, slash, _ = place.name.partition("/")
        if slash and folder in TAKEN_NAMES - {LANDING}:
            raise BatchError(
                f"{place.uri} would be known as {place.name}, a name that Sluice keeps for rows of "
                f"its own. Rename the folder `{folder}`, or name it instead of the one above."
            )


def _read_of(path: Path, lake: Lake) -> PlaceRead:
    """How a file was read: under its own name, or as the copy of another."""
    places = read_watermark(lake, LANDING)
    digest = file_digest(path)
    named = places.get(path.name)
    if named is not None and named.digest == digest:
        return named
    return next(place for place in places.values() if digest in (place.digest, *place.earlier))
