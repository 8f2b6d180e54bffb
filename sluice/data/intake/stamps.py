"""Tell an unchanged file without reading it, and remember the digests of files that were read."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import fsspec  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.reading.places import is_url, unreachable
from sluice.errors import BatchError
from sluice.lake import digest_of, file_digest, read_json, write_json

files: Any = fsspec  # not typed
# A file that is written twice within one tick of the clock may keep its time; git's index has the
# same trouble ("racy git"). Times of file systems are told in ticks of 2 s or less.
TICK_SECONDS = 2.0
# What the file systems of fsspec tell of an object that changes whenever its bytes do.
TELLING = (
    *("ETag", "etag", "md5", "md5Hash", "content_md5", "checksum", "generation", "VersionId"),
    *("size", "Size", "LastModified", "last_modified", "updated", "mtime", "created"),
)


def stamp_of(uri: str) -> str:
    """What tells that a file is as it was: size and times, or an object's ETag; nothing is read.

    The time of the last change of the file's entry counts as well: it cannot be set back.

    Raises:
        BatchError: it cannot be looked at.
    """
    try:
        if is_url(uri):
            return _remote_stamp(uri)
        found = Path(uri).stat()
        return f"{found.st_size}-{found.st_mtime_ns}-{found.st_ctime_ns}"
    except Exception as error:  # every store has errors of its own
        raise BatchError(unreachable(uri, error)) from error


def folder_stamp(folder: Path) -> str:
    """What tells that all files of a folder are as they were."""
    return stamp_of_all(path for path in folder.rglob("*") if path.is_file())


def stamp_of_all(paths: Iterable[Path]) -> str:
    """What tells that these files, and no others, are as they were."""
    return digest_of([[str(path), stamp_of(str(path))] for path in sorted(paths)])


def _remote_stamp(uri: str) -> str:
    system, path = files.core.url_to_fs(uri)
    system.invalidate_cache(path)
    info: dict[str, Any] = system.info(path)
    told = {name: str(info[name]) for name in TELLING if info.get(name) is not None}
    with contextlib.suppress(NotImplementedError, AttributeError, KeyError):
        told["modified"] = str(system.modified(path))  # where it is not told, the rest must do
    return digest_of(told)


class Digests:
    """Remembers what files held, so that a large one that did not change is not read again."""

    def __init__(self, file: Path) -> None:
        """Read what is remembered in a file; one that is missing or broken remembers nothing."""
        self._file = file
        try:
            self._known: dict[str, list[str]] = read_json(file)
        except (OSError, ValueError):
            self._known = {}
        self._changed = False

    def known(self, what: str, stamp: str) -> str | None:
        """The digest that was remembered under the same stamp."""
        before, digest = self._known.get(what, ("", ""))
        return digest if before == stamp else None

    def remember(self, what: str, stamp: str, digest: str) -> None:
        """Note what was read under a stamp."""
        self._known[what] = [stamp, digest]
        self._changed = True

    def of(self, path: Path) -> str:
        """The digest of a file of this machine; it is read only if it changed.

        Raises:
            BatchError: it cannot be read.
        """
        what, stamp = str(path), stamp_of(str(path))
        known = self.known(what, stamp)
        if known is not None:
            return known
        try:
            young = time.time() - path.stat().st_ctime < TICK_SECONDS
            digest = file_digest(path)
        except OSError as error:
            raise BatchError(unreachable(what, error)) from error
        if not young and stamp == stamp_of(what):
            self.remember(what, stamp, digest)
        return digest

    def save(self) -> None:
        """Keep what is remembered, but for files that are gone."""
        if self._changed:
            self._known = {what: known for what, known in self._known.items() if not _gone(what)}
            write_json(self._file, self._known)
            self._changed = False


def _gone(what: str) -> bool:
    return what.startswith("/") and not os.path.lexists(what)
