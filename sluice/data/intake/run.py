"""One ingest over the landing folder and the sources of a recipe."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sluice.data.intake.copies import (
    dataset_stamp,
    offered_dataset,
    offered_days,
    offered_query,
)
from sluice.data.intake.gateway_log import day_files
from sluice.data.intake.manner import Manner
from sluice.data.intake.news import dataset_key, knows_dataset, log_key, places_of
from sluice.data.intake.offers import offered_file
from sluice.data.intake.seen import Seen, unseen_places
from sluice.data.intake.settled import settled_files
from sluice.data.intake.stamps import Digests, stamp_of_all
from sluice.data.intake.take import Desk, Offer, Taken, emptied, take
from sluice.data.intake.watermark import (
    Places,
    digests_file,
    read_watermark,
    write_watermark,
)
from sluice.data.reading import Place
from sluice.errors import BatchError
from sluice.recipe import DataSection, SourceSection


@dataclass(frozen=True, slots=True)
class Refused:
    """What was not taken in, and why; `source` is the one that it came from."""

    source: str
    error: BatchError


@dataclass(slots=True)
class Intake:
    """What came of an ingest. `waiting` names files that are still being written."""

    taken: list[Taken] = field(default_factory=list[Taken])
    refused: list[Refused] = field(default_factory=list[Refused])
    waiting: list[str] = field(default_factory=list[str])


class IntakeRun:
    """One ingest. What is refused is noted, and does not stop the rest.

    A watermark is written when its source is done, also by a failure: a batch that lies in the
    lake is not read twice, so nothing is lost if not even that happens.
    """

    def __init__(self, data: DataSection, desk: Desk, settle_seconds: float) -> None:
        self._data = data
        self._desk = desk
        self._settle_seconds = settle_seconds
        self.digests = Digests(digests_file(desk.lake))
        self.intake = Intake()

    def take_source(self, source: SourceSection, requests: Path) -> None:
        """Take in what is new in a source; `requests` is the folder of the gateway's log."""
        manner = Manner.of(source, self._data)
        with self._refusals(source.name):
            if source.uri is not None:
                self.take_files(source.name, manner, places_of(source))
            elif source.query is not None:
                self._take_query(source, manner)
            elif source.dataset is not None:
                self._take_dataset(source, manner)
            else:
                self._take_days(source, manner, requests)

    def take_files(self, source: str, manner: Manner, places: Sequence[Place]) -> None:
        """Take in what is new among these files."""
        with self._watermark(source) as known:
            unseen = unseen_places(places, Seen(self._desk.lake, known, manner), self.digests)
            for place in self._settled(unseen):
                with (
                    self._refusals(source),
                    offered_file(place, self.digests, self._desk.lake) as offer,
                ):
                    self._take(offer, known, manner)

    def _take_query(self, source: SourceSection, manner: Manner) -> None:
        with self._watermark(source.name) as known:
            before = known.get(source.name)
            with offered_query(source, before, manner, self._desk.lake) as offer:
                if offer is not None:
                    self._take(offer, known, manner)

    def _take_dataset(self, source: SourceSection, manner: Manner) -> None:
        with self._watermark(source.name) as known:
            if knows_dataset(source, Seen(self._desk.lake, known, manner), self.digests):
                return
            stamp = dataset_stamp(source)
            with offered_dataset(source, manner, self._desk.lake) as offer:
                self._take(offer, known, manner)
                if stamp is not None:
                    self.digests.remember(dataset_key(source), stamp, offer.digest)

    def _take_days(self, source: SourceSection, manner: Manner, requests: Path) -> None:
        refused = len(self.intake.refused)
        stamp = stamp_of_all(day_files(requests))
        with self._watermark(source.name) as known:
            for offer in offered_days(source, requests, self._desk.lake):
                with self._refusals(source.name):
                    self._take_day(offer, known, manner)
        if len(self.intake.refused) == refused:
            self.digests.remember(log_key(source), stamp, manner.identity)

    def _take_day(self, offer: Offer, known: Places, manner: Manner) -> None:
        before = known.get(offer.place.name)
        if any(kind in ("good", "corrected") for kind, _ in offer.ratings):
            self._take(offer, known, manner)
        elif before is not None and before.batches:
            known[before.name], taken = emptied(before, offer)
            self.intake.taken.append(taken)

    def _take(self, offer: Offer, known: Places, manner: Manner) -> None:
        name = offer.place.name
        if offer.only_new or not Seen(self._desk.lake, known, manner).holds(name, offer.digest):
            known[name], taken = take(offer, known.get(name), manner, self._desk)
            self.intake.taken.append(taken)

    def _settled(self, places: Sequence[Place]) -> list[Place]:
        local = [Path(place.uri) for place in places if not place.is_remote]
        settled = {str(path) for path in settled_files(local, self._settle_seconds)}
        ready = [place for place in places if place.is_remote or place.uri in settled]
        self.intake.waiting += [place.name for place in places if place not in ready]
        return ready

    @contextmanager
    def _refusals(self, source: str) -> Generator[None]:
        try:
            yield
        except BatchError as error:
            self.intake.refused.append(Refused(source, error))

    @contextmanager
    def _watermark(self, source: str) -> Generator[Places]:
        known = read_watermark(self._desk.lake, source)
        before = dict(known)
        try:
            yield known
        finally:
            if known != before:
                write_watermark(self._desk.lake, source, known)
