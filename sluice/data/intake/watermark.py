"""The watermark of a source: what was read of each of its places, up to where, and when.

`lake/sources/<source>.json`. It is written after the batches that it names lie in the lake, and a
batch that lies there is not read a second time: so a run that dies in between only does again what
costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sluice.errors import IntegrityError
from sluice.lake import Lake, read_json, write_json
from sluice.refs import DatasetRef

Mark = int | float | str


@dataclass(frozen=True, slots=True)
class BatchRead:
    """One batch that counts. `first_line` is that of its first row; times are UTC, ISO 8601."""

    ref: DatasetRef
    first_line: int
    ingested_at: str


@dataclass(frozen=True, slots=True)
class PlaceRead:
    """How far a place was read, and the batches that this version of it became.

    `digest` and `size` (bytes) are of all that was read; `last_line` is where the next reading
    goes on; `earlier` are digests of what the place held before it grew. `manner` is the digest of
    how its rows were understood. `mark` is the last value of a query's watermark column. `ratings`
    counts the requests of a gateway's day by their rating.
    """

    name: str
    uri: str
    digest: str
    size: int
    last_line: int
    manner: str
    read_at: str
    batches: tuple[BatchRead, ...]
    earlier: tuple[str, ...] = ()
    mark: Mark | None = None
    ratings: tuple[tuple[str, int], ...] = ()


Places = dict[str, PlaceRead]


def watermark_file(lake: Lake, source: str) -> Path:
    """Where a source's watermark lies."""
    return lake.root / "sources" / f"{source}.json"


def digests_file(lake: Lake) -> Path:
    """Where the digests of files that were looked at lie. It is safe to delete."""
    return lake.root / "sources" / "digests" / "known.json"


def read_watermark(lake: Lake, source: str) -> Places:
    """The places of a source that were read, by name; none if nothing was.

    Raises:
        IntegrityError: the file is not as it was written.
    """
    path = watermark_file(lake, source)
    if not path.exists():
        return {}
    try:
        listed: list[dict[str, Any]] = read_json(path)["places"]
        return {fields["name"]: _place(fields) for fields in listed}
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path} cannot be understood ({type(error).__name__}). Someone or something changed "
            f"it; delete it, and what the source {source} still holds is taken in again."
        ) from error


def write_watermark(lake: Lake, source: str, places: Mapping[str, PlaceRead]) -> None:
    """Keep how far a source was read."""
    listed = [asdict(places[name]) for name in sorted(places)]
    write_json(watermark_file(lake, source), {"source": source, "places": listed})


def _place(fields: dict[str, Any]) -> PlaceRead:
    batches = tuple(
        BatchRead(DatasetRef.from_json(b["ref"]), b["first_line"], b["ingested_at"])
        for b in fields.pop("batches")
    )
    ratings = tuple((str(reason), int(count)) for reason, count in fields.pop("ratings"))
    earlier = tuple(fields.pop("earlier"))
    return PlaceRead(**fields, batches=batches, earlier=earlier, ratings=ratings)
