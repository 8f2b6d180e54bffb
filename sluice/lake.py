"""The lake: every folder of bytes that a step leaves behind, stored under the digest of its content.

    raw/<digest>/  curated/<digest>/  models/<digest>/  evidence/<digest>/   finished folders
    steps/<key>.json                                                         step key -> finished folder
    work/<key>/                                                              unfinished work (checkpoints)

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from sluice.errors import IntegrityError
from sluice.refs import Ref

R = TypeVar("R", bound=Ref)
MANIFEST = "manifest.json"
DIGEST_CHARS = 64
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
    """Write JSON aside, fsync, and rename: a reader sees the old file or the new one, never half."""
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
    def aside(self) -> Iterator[Path]:
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
        if not (final / MANIFEST).exists():
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
        return read_json(path)

    def verify(self, ref: Ref) -> None:
        """Read every file of a folder again and compare it with the manifest and with the reference.

        Raises:
            IntegrityError: a file is missing, changed or extra, or the digest is another.
        """
        verify_folder(self.path(ref), ref.digest, self.manifest(ref))


def verify_folder(folder: Path, digest: str, manifest: dict[str, Any] | None = None) -> None:
    """Compare a folder's bytes with its manifest, and the manifest with the digest that names it."""
    manifest = manifest or read_json(folder / MANIFEST)
    listed: dict[str, str] = manifest["files"]
    present = {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    } - {MANIFEST}
    wrong = sorted(present ^ set(listed)) + sorted(
        name for name in present & set(listed) if file_digest(folder / name) != listed[name]
    )
    if wrong or digest_of(listed) != digest:
        raise IntegrityError(
            f"{folder.parent.name}/{digest[:12]}: {len(wrong)} of {len(listed)} files differ from the "
            f"manifest ({', '.join(wrong[:3]) or 'the manifest itself'}). Someone or something "
            "changed them after they were written; nothing was promoted. Rebuild by running again."
        )


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
