"""Which files a path, a folder, a glob or an fsspec URL means, and what format each has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import fsspec  # pyright: ignore[reportMissingTypeStubs]

from sluice.errors import BatchError

KINDS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
UNFINISHED = frozenset({".part", ".partial", ".tmp", ".crdownload", ".filepart"})

_GLOB = re.compile(r"[*?\[]")
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+:(//|:)")
_LOGIN = re.compile(r"(?<=://)[^/@]*@")
files: Any = fsspec  # not typed


@dataclass(frozen=True, slots=True)
class Place:
    """One readable file: a local path or an fsspec URL.

    `name` is what its rows carry as their `source`. `kind` is its format: "jsonl", "json", "csv",
    "tsv", "parquet" or "arrow". Its compression is told by its suffix.
    """

    uri: str
    name: str
    kind: str

    @property
    def compression(self) -> str | None:
        """ "gzip", "zstd" or None."""
        return COMPRESSIONS.get(_suffixes(self.uri)[1])

    @property
    def is_remote(self) -> bool:
        """Whether it is a URL rather than a path of this machine."""
        return is_url(self.uri)

    @property
    def is_stream(self) -> bool:
        """Whether it can only be read from its start: many web servers know no other way."""
        return self.uri.lower().startswith(("http://", "https://"))

    @property
    def shown(self) -> str:
        """The URI for a message: without user names, passwords and signed queries."""
        return shown(self.uri)


def find_places(uri: str, name: str | None, base_dir: Path) -> list[Place]:
    """The readable files that a path, folder, glob or fsspec URL means, by name.

    A folder is searched to any depth. Hidden files, unfinished ones (`.part`, `.tmp`), files in
    folders that start with `_` (where Spark and Delta keep their own) and files of other formats
    are left out. A path is relative to `base_dir`. Rows of one file carry `name`, or the name of
    the file; rows of several carry the path below the folder, behind `name/` if there is a name.

    A URL is opened by fsspec, which reads each store's own settings: for S3, `AWS_ENDPOINT_URL`,
    `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` or a profile; for any store,
    `FSSPEC_<PROTOCOL>_<OPTION>`, e.g. `FSSPEC_S3_ENDPOINT_URL`.

    Raises:
        BatchError: there is no such file or folder, or the format of a single file is unknown.
    """
    if is_url(uri):
        return _find_remote(uri, name)
    return _find_local(Path(base_dir, uri), name)


def is_url(uri: str) -> bool:
    """Whether a URI goes to fsspec rather than to this machine's own files."""
    return _URL.match(uri) is not None


def shown(uri: str) -> str:
    """A URI for a message: without user names, passwords and signed queries."""
    return _LOGIN.sub("", uri.partition("?")[0] if "?" in uri and is_url(uri) else uri)


def kind_of_file(uri: str) -> str | None:
    """The format that the suffix of a file tells, if it tells one."""
    return KINDS.get(_suffixes(uri)[0])


def _suffixes(uri: str) -> tuple[str, str]:
    """The suffix of the format, and that of the compression or ""."""
    path = urlsplit(uri.partition("::")[0]).path if is_url(uri) else uri
    suffixes = [suffix.lower() for suffix in PurePosixPath(path).suffixes[-2:]]
    packed = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSIONS else ""
    return (suffixes[-1] if suffixes else ""), packed


def _find_local(path: Path, name: str | None) -> list[Place]:
    if path.is_dir():
        found = [(p.relative_to(path).as_posix(), str(p)) for p in path.rglob("*") if p.is_file()]
        return _readable(found, name)
    if path.exists():
        return [_single(str(path), name or path.name)]
    if not _GLOB.search(str(path)):
        raise BatchError(f"{path} does not exist. Check the path; it is relative to the recipe.")
    root = _fixed_part(path)
    if not root.is_dir():
        raise BatchError(f"{root} does not exist, so {path} matches nothing. Check the path.")
    matches = root.glob(path.relative_to(root).as_posix())
    return _readable(
        [(p.relative_to(root).as_posix(), str(p)) for p in matches if p.is_file()], name
    )


def _fixed_part(path: Path) -> Path:
    """The folder above the first part that has a wildcard."""
    return next(parent for parent in path.parents if not _GLOB.search(str(parent)))


def _find_remote(uri: str, name: str | None) -> list[Place]:
    try:
        return _listed(uri, name)
    except BatchError:
        raise
    except Exception as error:  # every store has errors of its own
        raise BatchError(unreachable(uri, error)) from error


def _listed(uri: str, name: str | None) -> list[Place]:
    head, chained, tail = uri.partition("::")
    fs, path = files.core.url_to_fs(uri)

    def url(found: str) -> str:
        # What was asked for is kept as it was: it may have a login or a signature.
        return f"{fs.unstrip_protocol(found)}{chained}{tail}"

    if not _GLOB.search(head):
        if fs.isfile(path):
            return [_single(uri, name or PurePosixPath(path).name)]
        if not fs.isdir(path):
            raise BatchError(f"{shown(uri)} does not exist. Check the URL and who may read it.")
        root, found = path, fs.find(path)
    else:
        root = str(_fixed_part(Path(path)))
        found = [p for p in fs.glob(path) if fs.isfile(p)]
        if not found and not fs.isdir(root):
            raise BatchError(f"{shown(uri)} matches nothing, and {root} does not exist.")
    return _readable([(_below(p, root), url(p)) for p in found], name)


def _below(path: str, root: str) -> str:
    return path.removeprefix(root.rstrip("/")).lstrip("/")


def unreachable(uri: str, error: Exception) -> str:
    """What to say of a place whose store refused or could not be asked."""
    if isinstance(error, FileNotFoundError):
        return f"{shown(uri)} does not exist. Check the path and who may read it."
    if isinstance(error, ImportError):
        return f"{shown(uri)} cannot be read: {error}."
    what = str(getattr(error, "strerror", None) or error).replace(uri, shown(uri))
    return (
        f"{shown(uri)} cannot be read: {type(error).__name__}: {_LOGIN.sub('', what)}. Check the "
        "path, its permissions, and the settings of its store (e.g. AWS_ENDPOINT_URL), "
        "then run again."
    )


def _single(uri: str, name: str) -> Place:
    kind = kind_of_file(uri)
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise BatchError(
            f"{shown(uri)} has no suffix that tells its format. Known are {known}, each also with "
            ".gz or .zst. Rename it."
        )
    return Place(uri, name, kind)


def _readable(found: Iterable[tuple[str, str]], name: str | None) -> list[Place]:
    prefix = f"{name}/" if name else ""
    places = [
        Place(uri, prefix + below, kind)
        for below, uri in found
        if not _left_out(below) and (kind := kind_of_file(below)) is not None
    ]
    return sorted(places, key=lambda place: place.name)


def _left_out(below: str) -> bool:
    path = PurePosixPath(below)
    return (
        any(part.startswith((".", "~$")) for part in path.parts)
        or any(folder.startswith("_") for folder in path.parts[:-1])
        or bool(UNFINISHED & {suffix.lower() for suffix in path.suffixes})
    )
