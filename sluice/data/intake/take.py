"""Take in what one place offers: all of it, only what was appended, or a version that replaces."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sluice.data.compute import Done, Engine, untold
from sluice.data.intake.batch import Batch, Stored, store_batch
from sluice.data.intake.live import is_whole
from sluice.data.intake.manner import Manner
from sluice.data.intake.watermark import BatchRead, Mark, PlaceRead
from sluice.data.outcomes import Reject
from sluice.data.reading import Place
from sluice.lake import Lake
from sluice.refs import DatasetRef

APPENDABLE = frozenset({"jsonl", "csv", "tsv"})
READ_BYTES = 1024 * 1024

What = Literal["new", "appended", "changed", "read again", "emptied"]


@dataclass(frozen=True, slots=True)
class Desk:
    """What taking in needs, whatever the place. `done` is told of progress."""

    lake: Lake
    engine: Engine
    max_reject_share: float
    done: Done = untold


@dataclass(frozen=True, slots=True)
class Offer:
    """A place whose bytes can be read where the engine runs.

    `origin` is what a person calls it, `digest` that of its bytes. `unchanged` tells after the
    reading whether it still holds them. With `only_new` it holds only what came since last time,
    up to the `mark`. `rejects` are rows that could not even be offered; `ratings` counts rated
    requests, of which only the good and the corrected are rows.
    """

    place: Place
    origin: str
    digest: str
    unchanged: Callable[[], bool]
    only_new: bool = False
    mark: Mark | None = None
    rejects: tuple[Reject, ...] = ()
    ratings: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken in. `replaced` are the batches that count no more because of it."""

    name: str
    what: What
    ref: DatasetRef | None
    first_line: int
    rejects: int
    form: str
    replaced: tuple[DatasetRef, ...] = ()
    ratings: tuple[tuple[str, int], ...] = ()

    @property
    def told(self) -> str:
        """What happened, in one sentence."""
        return " ".join(part for part in (self._main(), self._aside()) if part)

    def _main(self) -> str:
        rows = self.ref.rows if self.ref else 0
        before = sum(ref.rows for ref in self.replaced)
        return {
            "new": f"{self.name}: {rows} rows ({self.form}).",
            "appended": f"{self.name} grew: {rows} more rows, from line {self.first_line} on.",
            "changed": f"{self.name} changed in what was read before: its {before} rows of then "
            f"count no more, the {rows} of now do.",
            "read again": f"{self.name} is read again, because the recipe has its rows understood "
            f"in another way ({self.form}): {rows} rows instead of {before}.",
            "emptied": f"{self.name} has no rows any more: its {before} rows of then count no "
            "more.",
        }[self.what]

    def _aside(self) -> str:
        rejected = f"{self.rejects} lines could not be read." if self.rejects else ""
        counts = ", ".join(f"{count} {reason}" for reason, count in self.ratings)
        return " ".join(
            part for part in (rejected, f"By rating: {counts}." if counts else "") if part
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    what: What
    after: int = 0
    shift: int = 0


def take(
    offer: Offer, before: PlaceRead | None, manner: Manner, desk: Desk
) -> tuple[PlaceRead, Taken]:
    """Read what is new at a place into the lake; returns how far it was read, and what came of it.

    Raises:
        BatchError: it is refused; what was read of it before still counts.
    """
    plan = _plan(offer, before, manner, desk.lake)
    batch = Batch(
        offer.place,
        offer.digest,
        offer.origin,
        manner,
        plan.after,
        before.size if before and plan.after else 0,
        plan.shift,
        offer.rejects,
    )
    stored = store_batch(
        batch, desk.lake, desk.engine, desk.max_reject_share, offer.unchanged, desk.done
    )
    size = Path(offer.place.uri).stat().st_size
    read = PlaceRead(
        name=offer.place.name,
        uri=offer.origin,
        digest=offer.digest,
        size=size,
        last_line=max(stored.facts["last_line"], plan.after, plan.shift),
        manner=manner.identity,
        read_at=_now(),
        batches=_batches(plan, before, stored),
        earlier=_earlier(plan, before),
        mark=offer.mark,
        ratings=offer.ratings,
    )
    return read, _taken(plan.what, read, before, stored)


def emptied(before: PlaceRead, offer: Offer) -> tuple[PlaceRead, Taken]:
    """A place in which nothing is left that counts, and what came of it."""
    read = replace(before, digest=offer.digest, batches=(), ratings=offer.ratings, read_at=_now())
    replaced = tuple(batch.ref for batch in before.batches)
    return read, Taken(before.name, "emptied", None, 0, 0, "", replaced, offer.ratings)


def _plan(offer: Offer, before: PlaceRead | None, manner: Manner, lake: Lake) -> _Plan:
    if before is None or not before.batches:
        return _Plan("new")
    if before.manner != manner.identity or not is_whole(lake, before):
        return _Plan("read again")
    if offer.only_new:
        return _Plan("appended", shift=before.last_line)
    if before.digest == offer.digest:
        return _Plan("read again")
    if is_appended(offer.place, before):
        return _Plan("appended", after=before.last_line)
    return _Plan("changed")


def is_appended(place: Place, before: PlaceRead) -> bool:
    """Whether a place begins with all that was read of it, whole lines, and goes on after them."""
    if place.kind not in APPENDABLE or place.compression or place.is_remote:
        return False
    digest, quotes, last = hashlib.sha256(), 0, b""
    with Path(place.uri).open("rb") as file:
        left = before.size
        while left and (chunk := file.read(min(READ_BYTES, left))):
            left -= len(chunk)
            digest.update(chunk)
            quotes += chunk.count(b'"')
            last = chunk[-1:]
        following = file.read(2)
    whole_line = last == b"\n" or following.startswith(b"\n") or following == b"\r\n"
    # Inside quotes a line of CSV goes on: then the last row of before was another than it is now.
    closed = place.kind == "jsonl" or quotes % 2 == 0
    return not left and digest.hexdigest() == before.digest and whole_line and closed


def _batches(plan: _Plan, before: PlaceRead | None, stored: Stored) -> tuple[BatchRead, ...]:
    kept = before.batches if before and plan.what == "appended" else ()
    if stored.ref is None:
        return kept
    # Understood in another way, it is still what came in then.
    then = before.batches[:1] if before and plan.what == "read again" else ()
    at = then[0].ingested_at if then else _now()
    return (*kept, BatchRead(stored.ref, stored.facts["first_line"], at))


def _earlier(plan: _Plan, before: PlaceRead | None) -> tuple[str, ...]:
    return (*before.earlier, before.digest) if before and plan.after else ()


def _taken(what: What, read: PlaceRead, before: PlaceRead | None, stored: Stored) -> Taken:
    replaced = before.batches if before and what in ("changed", "read again") else ()
    facts = stored.facts
    return Taken(
        name=read.name,
        what=what,
        ref=stored.ref,
        first_line=facts["first_line"],
        rejects=facts["lines"] - facts["rows"],
        form=facts["form_told"],
        replaced=tuple(batch.ref for batch in replaced),
        ratings=read.ratings,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
