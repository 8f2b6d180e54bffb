"""Which places hold something that was not read: told by digests, and those by stamps."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sluice.data.intake.live import is_whole
from sluice.data.intake.manner import Manner
from sluice.data.intake.stamps import Digests, stamp_of
from sluice.data.intake.watermark import PlaceRead, Places
from sluice.data.reading import Place
from sluice.lake import Lake


class Seen:
    """What was read of one source, and in which manner its rows are understood now."""

    def __init__(self, lake: Lake, places: Places, manner: Manner) -> None:
        self._lake = lake
        self._places = places
        self._manner = manner.identity

    def holds(self, name: str, digest: str) -> bool:
        """Whether these bytes were read at that place, or are a copy of what was read at another.

        What was read in another manner, or is gone from the lake, was not read.
        """
        before = self._places.get(name)
        if before is not None:
            return before.digest == digest and self._counts(before)
        places = self._places.values()
        return any(digest in (p.digest, *p.earlier) and self._counts(p) for p in places)

    def _counts(self, place: PlaceRead) -> bool:
        return place.manner == self._manner and is_whole(self._lake, place)


def unseen_places(places: Iterable[Place], seen: Seen, digests: Digests) -> list[Place]:
    """The places whose present content was not read; of those with equal content, only the first.

    An object elsewhere whose content nobody can tell without fetching it counts as unseen.

    Raises:
        BatchError: one cannot be looked at.
    """
    unseen: dict[str, Place] = {}
    for place in places:
        digest = digest_now(place, digests)
        if digest is None or not seen.holds(place.name, digest):
            unseen.setdefault(digest or place.uri, place)
    return list(unseen.values())


def digest_now(place: Place, digests: Digests) -> str | None:
    """The digest of what lies there now; None if it would have to be fetched to tell."""
    if not place.is_remote:
        return digests.of(Path(place.uri))
    return digests.known(place.shown, stamp_of(place.uri))
