"""Sources that are no files, written down as JSON Lines: a query, a data set, the gateway's log.

From then on they are read like any file, in parallel, by the one rule book.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sluice.data.intake.gateway_log import day_files, read_ratings, write_rated_rows
from sluice.data.intake.live import is_whole
from sluice.data.intake.manner import Manner
from sluice.data.intake.stamps import folder_stamp
from sluice.data.intake.take import Offer
from sluice.data.intake.watermark import Mark, PlaceRead
from sluice.data.outcomes import Reject
from sluice.data.reading import Place, RawRow, read_dataset, read_query
from sluice.errors import BatchError
from sluice.lake import Lake, digest_of, file_digest
from sluice.recipe import SourceSection

MARKS = (int, float, str)


@contextmanager
def offered_query(
    source: SourceSection, before: PlaceRead | None, manner: Manner, lake: Lake
) -> Generator[Offer | None]:
    """What a query gives now; with a watermark only what came since last time, None if nothing.

    Raises:
        BatchError: the database cannot be asked, or the watermark's column is not in the result.
    """
    mark = _mark_of_before(before, manner, lake)
    start = source.watermark_start if mark is None else mark
    bound = {"watermark": start} if source.watermark else {}
    rows = read_query(str(source.query), str(source.database), source.name, manner.limits, bound)
    with lake.aside() as folder:
        written = write_down(rows, folder / "rows.jsonl", source.watermark)
        if source.watermark and not written.lines:
            yield None
            return
        yield Offer(
            place=Place(str(written.path), source.name, "jsonl"),
            origin=f"The query of source {source.name}",
            digest=written.digest,
            unchanged=_always,
            only_new=source.watermark is not None,
            mark=_mark_after(start, written.mark) if source.watermark else None,
            rejects=written.rejects,
        )


@contextmanager
def offered_dataset(source: SourceSection, manner: Manner, lake: Lake) -> Generator[Offer]:
    """A split of a data set.

    Raises:
        BatchError: it cannot be found or read.
    """
    name = f"{source.name}/{source.split}"
    rows = read_dataset(str(source.dataset), source.split, source.revision, name, manner.limits)
    with lake.aside() as folder:
        written = write_down(rows, folder / "rows.jsonl")
        yield Offer(
            place=Place(str(written.path), name, "jsonl"),
            origin=f"The data set {source.dataset}",
            digest=written.digest,
            unchanged=_always,
            rejects=written.rejects,
        )


def dataset_stamp(source: SourceSection) -> str | None:
    """What tells that a data set is as it was; None where only loading it would."""
    dataset = str(source.dataset)
    if Path(dataset).is_dir():
        return folder_stamp(Path(dataset))
    return digest_of([dataset, source.revision, source.split]) if source.revision else None


def offered_days(source: SourceSection, requests: Path, lake: Lake) -> Iterator[Offer]:
    """The rated requests of each day of the gateway's log; `ratings` counts all by their rating.

    A day may have no row. An offer is good until the next one is asked for.
    """
    ratings = read_ratings(requests)
    with lake.aside() as folder:
        path = folder / "rows.jsonl"
        for day in day_files(requests):
            counts = write_rated_rows(day, ratings, path)
            yield Offer(
                place=Place(str(path), f"{source.name}/{day.name}", "jsonl"),
                origin=str(day),
                digest=file_digest(path),
                unchanged=_always,
                ratings=tuple(counts.items()),
            )


@dataclass(frozen=True, slots=True)
class Written:
    """Rows as JSON Lines. `lines` counts those, and the rejects that stand on blank lines."""

    path: Path
    digest: str
    lines: int
    rejects: tuple[Reject, ...]
    mark: Mark | None


def write_down(
    found: Iterator[RawRow | Reject], path: Path, watermark: str | None = None
) -> Written:
    """Write rows as JSON Lines, each on the line of its number; rejects leave a blank one.

    Raises:
        BatchError: a row has no such column as the watermark's, or no number or text in it.
    """
    rejects: list[Reject] = []
    mark: Mark | None = None
    lines = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in found:
            lines += 1
            if isinstance(row, Reject):
                rejects.append(row)
                file.write("\n")
                continue
            if watermark is not None:
                mark = _later(mark, _mark_of(row, watermark))
            text = json.dumps(row.values, ensure_ascii=False, separators=(",", ":"))
            file.write(text + "\n")
    listed = [asdict(reject) for reject in rejects]
    digest = digest_of([file_digest(path), listed]) if rejects else file_digest(path)
    return Written(path, digest, lines, tuple(rejects), mark)


def _mark_of_before(before: PlaceRead | None, manner: Manner, lake: Lake) -> Mark | None:
    """Where to go on; None where all has to be read again."""
    if before is None or before.manner != manner.identity or not is_whole(lake, before):
        return None
    return before.mark


def _mark_of(row: RawRow, column: str) -> Mark:
    value: Any = row.values.get(column)
    if not isinstance(value, MARKS) or isinstance(value, bool):
        has = "no such column" if column not in row.values else f"a {type(value).__name__} in it"
        raise BatchError(
            f"The query's row {row.line} cannot move the watermark `{column}` on: it has {has}. "
            "Name a column of numbers or texts that is never null, and select it in the query."
        )
    return value


def _mark_after(start: Mark, found: Mark | None) -> Mark:
    return start if found is None else _later(start, found)


def _later(first: Mark | None, second: Mark) -> Mark:
    """The larger of two marks; the second if one is a number and the other a text."""
    if isinstance(first, str) and isinstance(second, str):
        return max(first, second)
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        return max(first, second)
    return second


def _always() -> bool:
    return True  # a copy is nobody's to change
