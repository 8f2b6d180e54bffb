"""What the tests of ingest share: a lake, a landing folder, and short ways to take in and look."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sluice.data.compute import ThisProcess
from sluice.data.ingest import Intake, Shelves, Taken, ingest_new, may_have_news
from sluice.data.intake.live import live_batches
from sluice.data.outcomes import Reject
from sluice.data.parts import read_part, read_records
from sluice.data.record import Record
from sluice.lake import Lake
from sluice.recipe import DataSection
from sluice.refs import DatasetRef

DATA: dict[str, Any] = {"evaluation_share": 0.1, "max_reject_share": 0.4}


def section(**values: Any) -> DataSection:
    """The recipe's section, with these values."""
    return DataSection.model_validate({**DATA, **values})


@dataclass
class Stock:
    """A lake and a landing folder."""

    root: Path
    data: DataSection = field(default_factory=section)

    @property
    def lake(self) -> Lake:
        return Lake(self.root / "lake")

    @property
    def landing(self) -> Path:
        return self.root / "landing"

    @property
    def shelves(self) -> Shelves:
        return Shelves(self.landing, self.root / "serving" / "requests")

    def take_in(self, **options: Any) -> Intake:
        """One ingest of all that is new."""
        options = {"settle_seconds": 0.0, **options}
        return ingest_new(self.lake, self.data, self.shelves, ThisProcess(), **options)

    def taken(self) -> list[tuple[str, str]]:
        """One ingest in which nothing may be refused: what happened to which places."""
        intake = self.take_in()
        assert not intake.refused, intake.refused
        return [(taken.name, taken.what) for taken in intake.taken]

    def take_one(self) -> Taken:
        """One ingest in which exactly one thing happens."""
        intake = self.take_in()
        assert not intake.refused, intake.refused
        (taken,) = intake.taken
        return taken

    def news(self) -> bool:
        """Whether anything may be new."""
        return may_have_news(self.lake, self.data, self.shelves)

    def live(self, now: datetime | None = None) -> list[DatasetRef]:
        """The batches that count."""
        return live_batches(self.lake, self.data, now or datetime.now(UTC))

    def rows(self) -> list[Record]:
        """The rows that count, in order."""
        folders = [self.lake.path(ref) / "records" for ref in self.live()]
        return [row for folder in folders for row in read_records(folder)]

    def where(self) -> list[tuple[str, int, str]]:
        """Source, line and question of the rows that count, in order."""
        return [(row.source, row.line, row.question) for row in self.rows()]

    def questions(self) -> list[str]:
        """The questions of the rows that count, in order."""
        return [row.question for row in self.rows()]


def rejects_of(folder: Path) -> list[Reject]:
    """The rejects of a batch."""
    return [Reject(**fields) for fields in read_part(folder / "rejects.parquet").to_pylist()]
