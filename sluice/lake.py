"""The lake: every folder of bytes that a step leaves behind, under the digest of its content.

    raw/<digest>/ curated/<digest>/ models/<digest>/ evidence/<digest>/   finished folders
    steps/<key>.json                                           step key -> finished folder
    work/<key>/                                                unfinished work (checkpoints)

A folder is written aside, fsynced and renamed; `manifest.json` lists the digest of each file and is
written last, so its existence means that the folder is complete. A step's key is the digest of
what the step reads, so a step that has finished once is not done again, and a step that was killed
finds its unfinished work under the same key.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeVar

from sluice.errors import IntegrityError
from sluice.refs import Ref

R = TypeVar("R", bound=Ref)
MANIFEST = "manifest.json"
KEY_CHARS = 32


def digest_of(value: Any) -> str:
    """Sha-256, in hexadecimal, of a JSON-ready value in canonical form (sorted keys, UTF-8)."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def step_key(name: str, version: int, *inputs: Any) -> str:
    """The key of a step: what it is called, the version of its code, and all that it reads."""
    return f"{name}-{digest_of([name, version, *inputs])[:KEY_CHARS]}"


def file_digest(path: Path) -> str:
    """Sha-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON aside, fsync, rename: a reader sees the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=2, sort_keys=True, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


class Lake:
    """A folder of finished, content-addressed folders."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, ref: Ref) -> Path:
        """Where a reference's folder lies on this machine."""
        return self.root / ref.uri

    def work(self, key: str) -> Path:
        """The folder for unfinished work under a step's key; it survives a crash."""
        folder = self.root / "work" / key
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def find(self, key: str, kind: type[R]) -> R | None:
        """What an earlier run of the step left, if it finished and its folder is still complete."""
        memo = self.root / "steps" / f"{key}.json"
        if not memo.exists():
            return None
        ref = kind.from_json(read_json(memo))
        return ref if (self.path(ref) / MANIFEST).exists() else None

    @contextlib.contextmanager
    def aside(self) -> Generator[Path]:
        """An empty folder on the lake's own file system; deleted if it was not committed."""
        (self.root / "work").mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self.root / "work", prefix="aside-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def commit(
        self, folder: Path, area: str, key: str, make_ref: Callable[[str, str], R], **facts: Any
    ) -> R:
        """Move a written folder to its place under its digest and remember it under the step's key.

        `make_ref(uri, digest)` builds the reference; `facts` go into the manifest beside the files.
        """
        files = {
            str(path.relative_to(folder)): file_digest(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != MANIFEST
        }
        digest = digest_of(files)
        write_json(folder / MANIFEST, {"digest": digest, "files": files, "step": key, **facts})
        _sync_tree(folder)
        final = self.root / area / digest
        final.parent.mkdir(parents=True, exist_ok=True)
        if not _is_whole(final, digest):
            shutil.rmtree(final, ignore_errors=True)
            folder.rename(final)
        ref = make_ref(f"{area}/{digest}", digest)
        write_json(self.root / "steps" / f"{key}.json", ref.to_json())
        return ref

    def manifest(self, ref: Ref) -> dict[str, Any]:
        """The manifest of a finished folder.

        Raises:
            IntegrityError: there is no finished folder under that reference.
        """
        path = self.path(ref) / MANIFEST
        if not path.exists():
            raise IntegrityError(
                f"{ref.uri} is not in the lake at {self.root}. It was deleted or never finished; "
                "run the recipe again to rebuild it."
            )
        return _read_manifest(path)

    def verify(self, ref: Ref) -> None:
        """Read every file of a folder again and compare it with manifest and reference.

        Raises:
            IntegrityError: a file is missing, changed or extra, or the digest is another.
        """
        verify_folder(self.path(ref), ref.digest, self.manifest(ref))


def verify_folder(folder: Path, digest: str, manifest: dict[str, Any]) -> None:
    """Compare a folder's bytes with its manifest, and the manifest with the digest that names it.

    Raises:
        IntegrityError: a file is missing, changed or extra, or the digest is another.
    """
    listed: dict[str, str] = manifest["files"]
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    present = found - {MANIFEST}
    wrong = sorted(present ^ set(listed)) + sorted(
        name for name in present & set(listed) if file_digest(folder / name) != listed[name]
    )
    if wrong or digest_of(listed) != digest:
        raise IntegrityError(
            f"{folder.parent.name}/{digest[:12]}: {len(wrong)} of {len(listed)} files differ from "
            f"the manifest ({', '.join(wrong[:3]) or 'the manifest itself'}). Someone or something "
            "changed them after they were written; nothing was promoted. Delete the folder "
            f"{folder} and run the recipe again to rebuild it."
        )


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = read_json(path)
        listed: dict[str, str] = manifest["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{path} cannot be understood ({type(error).__name__}). Someone or something changed "
            f"it; delete the folder {path.parent} and run the recipe again to rebuild it."
        ) from error
    return {**manifest, "files": listed}


def _is_whole(folder: Path, digest: str) -> bool:
    if not (folder / MANIFEST).exists():
        return False
    try:
        verify_folder(folder, digest, _read_manifest(folder / MANIFEST))
    except IntegrityError:
        return False
    return True


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
