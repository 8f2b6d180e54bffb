"""One batch: what is new at one place becomes `raw/<digest>` in the lake, or is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sluice.data.compute import Done, Engine, untold
from sluice.data.intake.manner import INGEST_VERSION, FormTold, Manner, told_form
from sluice.data.intake.parts_of_place import EXAMPLES, Reading, Tally, read_parts
from sluice.data.outcomes import Reject
from sluice.data.parts import read_part
from sluice.data.reading import Place, describe_rejects
from sluice.errors import BatchError
from sluice.lake import Lake, step_key
from sluice.refs import DatasetRef


@dataclass(frozen=True, slots=True)
class Batch:
    """What shall become a batch.

    `digest` is that of the place's bytes, `origin` what a person calls it, without passwords;
    the rest is that of `Reading`.
    """

    place: Place
    digest: str
    origin: str
    manner: Manner
    after: int = 0
    after_bytes: int = 0
    shift: int = 0
    rejects: tuple[Reject, ...] = ()

    @property
    def identity(self) -> list[Any]:
        """All that decides what the batch holds."""
        return [self.place.name, self.digest, self.manner.identity, self.after, self.shift]


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch in the lake and the counts of its manifest. `ref` is None if nothing was new."""

    ref: DatasetRef | None
    facts: dict[str, Any]


def store_batch(
    batch: Batch,
    lake: Lake,
    engine: Engine,
    max_reject_share: float,
    unchanged: Callable[[], bool],
    done: Done = untold,
) -> Stored:
    """Read a batch into the lake, unless it lies there already.

    A refused batch leaves its rejects in the lake too, under `rejected/`.

    Args:
        batch: what to read.
        lake: where it goes.
        engine: where the work is done.
        max_reject_share: share of unreadable lines, 0 to 1, above which it is refused.
        unchanged: asked after the reading whether the place still holds the same bytes.
        done: told of progress, in shards.

    Raises:
        BatchError: the place cannot be opened, changed meanwhile, holds nothing, or is refused.
    """
    key = step_key("ingest", INGEST_VERSION, *batch.identity)
    known = lake.find(key, DatasetRef)
    if known is not None:
        facts = lake.manifest(known)
        require_within(facts, max_reject_share, lake.path(known))
        return Stored(known, facts)
    _refuse_again(batch, lake, max_reject_share)
    with lake.aside() as folder:
        told = told_form(batch.place, batch.manner)
        reading = Reading(
            batch.place,
            told.form,
            batch.manner,
            batch.after,
            batch.after_bytes,
            batch.shift,
            batch.rejects,
        )
        tally = read_parts(reading, folder, engine, done)
        _require_whole(batch, tally, unchanged)
        facts = _facts(batch, told, tally)
        if not tally.lines:
            return Stored(None, facts)
        if not _within(facts, max_reject_share):
            raise _refused(batch, tally, facts, lake, folder, max_reject_share)
        ref = lake.commit(folder, "raw", key, partial(DatasetRef, rows=tally.rows), **facts)
        return Stored(ref, facts)


def _require_whole(batch: Batch, tally: Tally, unchanged: Callable[[], bool]) -> None:
    if not unchanged():
        raise BatchError(
            f"{batch.origin} changed while it was read. Wait until it is whole; run again."
        )
    if not tally.lines and not batch.after:
        raise BatchError(
            f"{batch.origin} holds no rows: it is empty or has only blank lines. "
            "Check the export that wrote it, or remove the file."
        )


def _facts(batch: Batch, told: FormTold, tally: Tally) -> dict[str, Any]:
    return {
        "source": batch.place.name,
        "uri": batch.origin,
        "file_digest": batch.digest,
        "ingest_version": INGEST_VERSION,
        "form": told.form,
        "form_told": told.how,
        "lines": tally.lines,
        "rows": tally.rows,
        "rejects": tally.rejects,
        "first_line": tally.first,
        "last_line": tally.last,
        "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _within(facts: dict[str, Any], max_reject_share: float) -> bool:
    rejected = facts["lines"] - facts["rows"]
    return facts["rows"] > 0 and rejected <= max_reject_share * facts["lines"]


def _refusal_key(batch: Batch) -> str:
    return step_key("refuse", INGEST_VERSION, *batch.identity)


def _refuse_again(batch: Batch, lake: Lake, max_reject_share: float) -> None:
    """Raise what was raised before about the same bytes, if it still holds, without reading."""
    known = lake.find(_refusal_key(batch), DatasetRef)
    if known is not None:
        require_within(lake.manifest(known), max_reject_share, lake.path(known))


def require_within(facts: dict[str, Any], max_reject_share: float, folder: Path) -> None:
    """Refuse a batch in the lake by the facts of its manifest.

    Raises:
        BatchError: too large a share of its lines was unreadable, or all were.
    """
    if not _within(facts, max_reject_share):
        first = read_part(folder / "rejects.parquet").slice(0, EXAMPLES).to_pylist()
        examples = [Reject(**fields) for fields in first]
        raise BatchError(_refusal(facts, examples, folder, max_reject_share))


def _refused(
    batch: Batch, tally: Tally, facts: dict[str, Any], lake: Lake, folder: Path, limit: float
) -> BatchError:
    ref = lake.commit(
        folder, "rejected", _refusal_key(batch), partial(DatasetRef, rows=tally.rows), **facts
    )
    return BatchError(_refusal(facts, tally.examples, lake.path(ref), limit))


def _refusal(
    facts: dict[str, Any], examples: Sequence[Reject], folder: Path, max_reject_share: float
) -> str:
    counts = Counter[str](facts["rejects"])
    by_reason = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    return (
        f"{facts['source']}: {counts.total()} of {facts['lines']} lines cannot be read "
        f"(the limit is {max_reject_share:.0%}; {by_reason}): {describe_rejects(examples)}. "
        f"All of them are in {folder / 'rejects.parquet'}. "
        "Fix the file, or raise data.max_reject_share on purpose."
    )
