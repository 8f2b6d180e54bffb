"""Where state lives: one folder, `SLUICE_HOME` (default `.sluice/`), holds one model's story."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sluice.lake import Lake


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of `SLUICE_HOME`."""

    root: Path

    @classmethod
    def current(cls) -> Home:
        """The home named by the environment, as an absolute path."""
        return cls(Path(os.environ.get("SLUICE_HOME") or ".sluice").absolute())

    @property
    def lake(self) -> Lake:
        """Finished bytes under their digests."""
        return Lake(self.root / "lake")

    @property
    def landing(self) -> Path:
        """Where fresh data is dropped, unless the recipe names another folder."""
        return self.root / "landing"

    @property
    def released(self) -> Path:
        """Rows that a person sent back from quarantine; always a source."""
        return self.root / "released"

    @property
    def runs(self) -> Path:
        """One JSON record for each run: its outcome and its steps."""
        return self.root / "runs"

    @property
    def approvals(self) -> Path:
        """One JSON record for each approval that was asked for."""
        return self.root / "approvals"

    @property
    def serving(self) -> Path:
        """The gateway's pointer and its administration token."""
        return self.root / "serving"

    @property
    def logs(self) -> Path:
        """What the local servers print."""
        return self.root / "logs"

    @property
    def stack_file(self) -> Path:
        """Process ids and addresses of the local servers, while they run."""
        return self.root / "stack.json"


def cache_dir() -> Path:
    """Where converted base models are kept: shared by all homes of a user, safe to delete."""
    named = os.environ.get("SLUICE_CACHE")
    if named:
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice"
