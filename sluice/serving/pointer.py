"""The pointer: which version answers, and which one answered before it.

`SLUICE_HOME/serving/pointer.json` is the gateway's only memory. Only the gateway writes it, aside
and then renamed, before a change takes effect; so after a crash it serves what it last promised.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from sluice.errors import ServingError
from sluice.lake import read_json, write_json
from sluice.refs import Ref

POINTER_FILE = "pointer.json"


@dataclass(frozen=True, slots=True)
class Served:
    """A registered version and its bytes. `folder` is relative to the lake: `models/<digest>`."""

    version: str
    digest: str
    folder: str

    @property
    def ref(self) -> Ref:
        """The bytes in the lake."""
        return Ref(self.folder, self.digest)

    @classmethod
    def from_json(cls, fields: dict[str, Any] | None) -> Self | None:
        """The inverse of `asdict`; None stays None."""
        return None if fields is None else cls(**fields)


@dataclass(frozen=True, slots=True)
class Pointer:
    """The version that answers and the one to go back to; None where there is none yet."""

    current: Served | None = None
    previous: Served | None = None


def advanced(pointer: Pointer, served: Served) -> Pointer:
    """The pointer after a promotion. Promoting what is current already changes nothing."""
    if pointer.current == served:
        return pointer
    return Pointer(current=served, previous=pointer.current)


def rolled_back(pointer: Pointer) -> Pointer:
    """The pointer with current and previous exchanged: going back twice is going forward.

    Raises:
        ServingError: there is no previous version.
    """
    if pointer.previous is None:
        raise ServingError(
            "There is no previous version to go back to: at most one version has been promoted in "
            "this home. Promote another version instead."
        )
    return replace(pointer, current=pointer.previous, previous=pointer.current)


def read_pointer(folder: Path) -> Pointer:
    """The pointer stored in a home's `serving` folder; an empty one if there is none.

    Raises:
        ServingError: the file cannot be understood. It is never guessed at.
    """
    path = folder / POINTER_FILE
    if not path.exists():
        return Pointer()
    try:
        fields: dict[str, Any] = read_json(path)
        current, previous = fields["current"], fields["previous"]
        return Pointer(Served.from_json(current), Served.from_json(previous))
    except (ValueError, KeyError, TypeError) as error:
        raise ServingError(
            f"{path} cannot be read ({type(error).__name__}), so it is not known which version to "
            "serve. Restore it from a backup, or delete it and promote again."
        ) from error


def write_pointer(folder: Path, pointer: Pointer) -> None:
    """Store the pointer; a reader sees the old one or the new one, never half."""
    write_json(folder / POINTER_FILE, asdict(pointer))
