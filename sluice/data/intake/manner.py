"""How the rows of a source are understood: their form, its templates, and the limits of reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice

from sluice.data.forms import converter, detect_form
from sluice.data.outcomes import Reject
from sluice.data.quarantine import RELEASE_TAGS
from sluice.data.reading import Limits, Place, RawRow, read_shard, shards
from sluice.data.record import Record
from sluice.lake import digest_of
from sluice.recipe import DataSection, MappingSection, SourceSection
from sluice.recipe.data import Form

INGEST_VERSION = 2
SAMPLE_ROWS = 200  # enough to tell the form of a file


@dataclass(frozen=True, slots=True)
class Manner:
    """How the rows of a source are understood. `asked` is what a database is asked for."""

    form: Form
    mapping: MappingSection | None
    tags: tuple[str, ...]
    limits: Limits
    asked: tuple[str, ...] = ()

    @classmethod
    def of(cls, section: DataSection | SourceSection, data: DataSection) -> Manner:
        """As the landing folder's section or a source's own says; templates are used if given."""
        form = "mapping" if section.mapping is not None else section.form
        asked: tuple[str, ...] = ()
        if isinstance(section, SourceSection) and section.query is not None:
            asked = (section.query, str(section.watermark), str(section.watermark_start))
        tags = (*data.tags, *RELEASE_TAGS)
        return cls(form, section.mapping, tags, Limits.of(data), asked)

    @property
    def identity(self) -> str:
        """Digest of all that decides what a row becomes."""
        mapping = self.mapping.model_dump(mode="json") if self.mapping else None
        limits = asdict(self.limits)
        read = [self.form, mapping, sorted(self.tags), limits, self.asked]
        return digest_of([INGEST_VERSION, *read])


@dataclass(frozen=True, slots=True)
class FormTold:
    """The form that rows are read in, and how it was told, for a person."""

    form: Form
    how: str


def told_form(place: Place, manner: Manner) -> FormTold:
    """The form of a place: as the recipe says, or as its first rows show.

    The first rows of the whole place decide, also where only its tail is read: they do not change
    when it grows.

    Raises:
        BatchError: the place cannot be opened, or its rows fit no known form.
    """
    if manner.form != "auto":
        return FormTold(manner.form, f"{manner.form}, as the recipe says")
    rows = [row.values for row in islice(_rows(place, manner.limits), SAMPLE_ROWS)]
    if not rows:
        return FormTold("text", "not told: no row could be read")
    found = detect_form(rows, place.name)
    return FormTold(found.form, found.told)


def records_in(place: Place, manner: Manner) -> Iterator[Record | Reject]:
    """All rows of a place, read in this process; for places that are small, or of which only the
    first rows are wanted.

    Raises:
        BatchError: the place cannot be opened, or its form cannot be told.
    """
    convert = converter(told_form(place, manner).form, manner.mapping, manner.tags)
    for shard in shards(place, manner.limits):
        for row in read_shard(shard, manner.limits):
            yield convert(row, place.name) if isinstance(row, RawRow) else row


def _rows(place: Place, limits: Limits) -> Iterator[RawRow]:
    for shard in shards(place, limits):
        yield from (row for row in read_shard(shard, limits) if isinstance(row, RawRow))
