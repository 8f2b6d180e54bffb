"""The bytes of a place, here or elsewhere: unpacked, counted, and never half read in silence."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import fsspec  # pyright: ignore[reportMissingTypeStubs]
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.reading.places import Place, unreachable
from sluice.data.reading.rows import Limits
from sluice.errors import BatchError

READ_BYTES = 1024 * 1024

pa: Any = pyarrow  # not typed
files: Any = fsspec


class Bytes(Protocol):
    """What a reader needs of a file."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


class _Explained:
    """A file whose every failure is a `BatchError` that names the place."""

    def __init__(self, file: Any, place: Place) -> None:
        self._file = file
        self._place = place
        self.closed = False
        self.is_empty = True

    def read(self, size: int = -1) -> bytes:
        with _explaining(self._place):
            content: bytes = self._file.read(size)
        self.is_empty = self.is_empty and not content
        return content

    def seek(self, offset: int, whence: int = 0) -> int:
        with _explaining(self._place):
            return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return True

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True
        self._file.close()


class _Unpacked:
    """What a compressed file holds, up to a limit. Arrow's decompressors tell a cut-off archive."""

    def __init__(self, packed: _Explained, place: Place, limit: int) -> None:
        self._stream = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), place.compression)
        self._packed = packed
        self._place = place
        self._limit = limit
        self._count = 0

    def read(self, size: int, /) -> bytes:
        content = self._next(size)
        self._count += len(content)
        if self._count > self._limit:
            raise BatchError(
                f"{self._place.shown} unpacks to more than {self._limit} bytes. If that is right, "
                "raise `data.max_decompressed_bytes`; if not, it is an archive made to do harm."
            )
        return content

    def _next(self, size: int) -> bytes:
        try:
            content: bytes = self._stream.read(size)
        except BatchError:
            raise
        except OSError as error:
            raise BatchError(_damaged(self._place, str(error))) from error
        if not content and self._packed.is_empty:
            raise BatchError(_damaged(self._place, "Truncated: it has no bytes at all"))
        return content


def size_of(place: Place) -> int | None:
    """How many bytes the file has as it is stored, if its store tells."""
    with _explaining(place):
        if not place.is_remote:
            return Path(place.uri).stat().st_size
        fs, path = files.core.url_to_fs(place.uri)
        return fs.info(path).get("size")


@contextmanager
def opened(place: Place, limits: Limits, start: int = 0) -> Generator[Bytes]:
    """The file's content from byte `start` on; `start` is for uncompressed files alone.

    Raises:
        BatchError: it cannot be opened or read, is cut off or damaged, or unpacks to too much.
    """
    with _stored(place) as file:
        if place.compression is None:
            if start:
                file.seek(start)
            yield file
        else:
            yield _Unpacked(file, place, limits.max_decompressed_bytes)


@contextmanager
def seekable(place: Place, limits: Limits) -> Generator[Any]:
    """The file's content for a reader that jumps: by way of a temporary file where needed.

    Raises:
        BatchError: as `opened`.
    """
    if place.compression is None and not place.is_stream:
        with _stored(place) as file:
            yield file
        return
    with tempfile.TemporaryFile() as unpacked:
        for chunk in chunks(place, limits):
            unpacked.write(chunk)
        unpacked.seek(0)
        yield unpacked


def chunks(place: Place, limits: Limits, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The file's content in pieces of at most `READ_BYTES`, from byte `start` up to `end`.

    Raises:
        BatchError: as `opened`, or the file is now shorter than `end`.
    """
    with opened(place, limits, start) as file:
        left = None if end is None else end - start
        while left is None or left > 0:
            chunk = file.read(READ_BYTES if left is None else min(READ_BYTES, left))
            if not chunk:
                break
            if left is not None:
                left -= len(chunk)
            yield chunk
    if left:
        raise BatchError(
            f"{place.shown} became shorter while it was read. Wait until it is whole; run again."
        )


@contextmanager
def _stored(place: Place) -> Generator[_Explained]:
    with ExitStack() as stack:
        with _explaining(place):
            file: Any = _open(place)
        yield stack.enter_context(closing(_Explained(file, place)))


def _open(place: Place) -> Any:
    if not place.is_remote:
        return Path(place.uri).open("rb", buffering=0 if place.kind == "jsonl" else -1)
    fs, path = files.core.url_to_fs(place.uri)
    return fs.open(path, "rb", block_size=0 if place.is_stream else 4 * READ_BYTES)


@contextmanager
def _explaining(place: Place) -> Generator[None]:
    try:
        yield
    except BatchError:
        raise
    except Exception as error:  # every store has errors of its own
        raise BatchError(unreachable(place.uri, error)) from error


def _damaged(place: Place, problem: str) -> str:
    if "Truncated" in problem:
        return (
            f"{place.shown} is cut off: the {place.compression} archive ends before its end. "
            "Nothing of it was kept. Fetch or write it again."
        )
    return (
        f"{place.shown} is damaged or no {place.compression} archive: {problem}. "
        "Fetch or write it again."
    )
