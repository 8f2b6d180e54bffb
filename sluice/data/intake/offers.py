"""Make what a source holds readable where the engine runs: a file as it is, all else as a copy."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.intake.stamps import Digests, stamp_of
from sluice.data.intake.take import Offer
from sluice.data.reading import Place
from sluice.data.reading.places import COMPRESSIONS, unreachable
from sluice.errors import BatchError
from sluice.lake import Lake, file_digest

files: Any = fsspec  # not typed
COPY_BYTES = 4 * 1024 * 1024


@contextmanager
def offered_file(place: Place, digests: Digests, lake: Lake) -> Generator[Offer]:
    """A file of this machine as it lies there; one from elsewhere fetched once, into the lake.

    Raises:
        BatchError: it cannot be read.
    """
    if not place.is_remote:
        path = Path(place.uri)
        digest = digests.of(path)
        yield Offer(place, place.shown, digest, lambda: digests.of(path) == digest)
        return
    with lake.aside() as folder:
        stamp = stamp_of(place.uri)
        local = _fetched(place, folder)
        digest = file_digest(Path(local.uri))
        if stamp_of(place.uri) == stamp:
            digests.remember(place.shown, stamp, digest)
        yield Offer(local, place.shown, digest, lambda: stamp_of(place.uri) == stamp)


def copied(path: Path, name: str) -> Place:
    """Rows that were written down as JSON Lines, under the name that they carry as their source."""
    return Place(str(path), name, "jsonl")


def always() -> bool:
    """A copy is nobody's to change."""
    return True


def _fetched(place: Place, folder: Path) -> Place:
    packed = next((s for s, name in COMPRESSIONS.items() if name == place.compression), "")
    target = folder / f"fetched.{place.kind}{packed}"
    try:
        system, path = files.core.url_to_fs(place.uri)
        with system.open(path, "rb") as source, target.open("wb") as out:
            shutil.copyfileobj(source, out, COPY_BYTES)
    except Exception as error:  # every store has errors of its own
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        raise BatchError(unreachable(place.uri, error)) from error
    return Place(str(target), place.name, place.kind)
