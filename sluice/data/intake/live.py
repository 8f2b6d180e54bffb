"""Which batches count: the newest version of each place, less the withdrawn, inside the window."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sluice.data.intake.watermark import BatchRead, PlaceRead, read_watermark
from sluice.data.intake.withdrawal import withdrawn_digests
from sluice.lake import MANIFEST, Lake
from sluice.recipe import DataSection, WindowSection
from sluice.recipe.data import LANDING
from sluice.refs import DatasetRef


@dataclass(frozen=True, slots=True)
class LiveBatch:
    """A batch that counts, with the name that its rows carry."""

    name: str
    read: BatchRead


def live_batches(lake: Lake, data: DataSection, now: datetime) -> list[DatasetRef]:
    """The batches to train on, in the order of source names, then of lines.

    A source that the recipe no longer names counts no more; a file that was read and is gone from
    its place still does. `now` is what `data.window.days` counts from.
    """
    return [batch.read.ref for batch in in_window(_counting(lake, data), data.window, now)]


def in_window(
    batches: Iterable[LiveBatch], window: Literal["all"] | WindowSection, now: datetime
) -> list[LiveBatch]:
    """The batches that came in last, in the order of source names, then of lines."""
    by_age = sorted(batches, key=lambda b: (b.read.ingested_at, b.name, b.read.first_line))
    if isinstance(window, WindowSection) and window.batches is not None:
        by_age = by_age[-window.batches :]
    if isinstance(window, WindowSection) and window.days is not None:
        start = now - timedelta(days=window.days)
        by_age = [b for b in by_age if datetime.fromisoformat(b.read.ingested_at) >= start]
    return sorted(by_age, key=lambda b: (b.name, b.read.first_line))


def source_names(data: DataSection) -> list[str]:
    """The landing folder and the sources of a recipe."""
    return [LANDING, *(source.name for source in data.sources)]


def is_whole(lake: Lake, place: PlaceRead) -> bool:
    """Whether all batches of a place still lie in the lake."""
    return all((lake.path(batch.ref) / MANIFEST).exists() for batch in place.batches)


def _counting(lake: Lake, data: DataSection) -> list[LiveBatch]:
    out = withdrawn_digests(lake)
    return [
        LiveBatch(place.name, batch)
        for source in source_names(data)
        for place in read_watermark(lake, source).values()
        for batch in place.batches
        if batch.ref.digest not in out and (lake.path(batch.ref) / MANIFEST).exists()
    ]
