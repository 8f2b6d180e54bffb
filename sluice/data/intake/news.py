"""Is there anything new? Told in a moment: what is as it was is not read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.data.intake.copies import dataset_stamp
from sluice.data.intake.gateway_log import day_files
from sluice.data.intake.manner import Manner
from sluice.data.intake.seen import Seen, unseen_places
from sluice.data.intake.stamps import Digests, stamp_of_all
from sluice.data.intake.watermark import digests_file, read_watermark
from sluice.data.reading import Place, find_places
from sluice.errors import BatchError
from sluice.lake import Lake
from sluice.recipe import DataSection, SourceSection
from sluice.recipe.data import LANDING


@dataclass(frozen=True, slots=True)
class Shelves:
    """Where new rows may be besides what the recipe names: landing folder and gateway's log."""

    landing: Path
    requests: Path


def unseen_files(landing: Path, lake: Lake, data: DataSection) -> list[Path]:
    """The readable files of a folder whose present content was not taken in, by name.

    Hidden files and unfinished ones (`.part`, `.tmp`) are ignored, and of files with equal
    content only the first counts. A folder that does not exist holds none.
    """
    return _unseen(landed(landing), lake, data)


def is_ingested(path: Path, lake: Lake, data: DataSection) -> bool:
    """Whether a file's present content was taken in, and its rows are still understood so."""
    return not _unseen([place_of(path)], lake, data)


def may_have_news(lake: Lake, data: DataSection, shelves: Shelves) -> bool:
    """Whether anything may be new in the landing folder or the sources.

    What only a database or a hub could tell counts as news; so does what cannot be looked at.
    """
    if unseen_files(shelves.landing, lake, data):
        return True
    digests = Digests(digests_file(lake))
    try:
        return any(_has_news(source, lake, data, shelves, digests) for source in data.sources)
    except BatchError:
        return True
    finally:
        digests.save()


def landed(landing: Path) -> list[Place]:
    """The readable files of the landing folder, without those in folders below it."""
    if not landing.is_dir():
        return []
    return [place for place in find_places(str(landing), None, landing) if "/" not in place.name]


def place_of(path: Path) -> Place:
    """A file as a place; its rows carry its name.

    Raises:
        BatchError: it does not exist, or its format is unknown.
    """
    if path.is_dir():
        raise BatchError(f"{path} is a folder. Name the files in it, or make it a source.")
    return find_places(str(path.absolute()), None, path.parent)[0]


def places_of(source: SourceSection) -> list[Place]:
    """The files that a source's `uri` means; `load_recipe` has made it absolute.

    Raises:
        BatchError: there is nothing, or its store cannot be asked.
    """
    return find_places(str(source.uri), source.name, Path.cwd())


def dataset_key(source: SourceSection) -> str:
    """Under what the stamp of a data set is remembered."""
    return f"dataset:{source.name}:{source.dataset}:{source.split}"


def log_key(source: SourceSection) -> str:
    """Under what the stamp of the gateway's log is remembered."""
    return f"gateway:{source.name}"


def _unseen(places: Sequence[Place], lake: Lake, data: DataSection) -> list[Path]:
    digests = Digests(digests_file(lake))
    seen = Seen(lake, read_watermark(lake, LANDING), Manner.of(data, data))
    found = [Path(place.uri) for place in unseen_places(places, seen, digests)]
    digests.save()
    return found


def _has_news(
    source: SourceSection, lake: Lake, data: DataSection, shelves: Shelves, digests: Digests
) -> bool:
    manner = Manner.of(source, data)
    seen = Seen(lake, read_watermark(lake, source.name), manner)
    if source.uri is not None:
        return bool(unseen_places(places_of(source), seen, digests))
    if source.dataset is not None:
        return not knows_dataset(source, seen, digests)
    if source.gateway:
        stamp = stamp_of_all(day_files(shelves.requests))
        return digests.known(log_key(source), stamp) != manner.identity
    return True


def knows_dataset(source: SourceSection, seen: Seen, digests: Digests) -> bool:
    """Whether a data set is as it was when it was taken in; only what is pinned can be told."""
    stamp = dataset_stamp(source)
    digest = digests.known(dataset_key(source), stamp) if stamp is not None else None
    return digest is not None and seen.holds(f"{source.name}/{source.split}", digest)
