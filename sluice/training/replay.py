"""Which rows are trained on again, so that what was learned before is not forgotten.

A row is general if it came from `general_source`, older if the champion's own data set has it (or
the row that it is a variant of), and new otherwise. All new rows train. Of the older and of the
general ones those with the lowest hashes of seed and id do, as many as their shares allow: the
choice depends on nothing else, so a row that was chosen stays chosen as long as there is room.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.compute  # pyright: ignore[reportMissingTypeStubs]
import xxhash

from sluice.data.augmentation.variant import PARENT_TAG
from sluice.data.parts import iterate, part_files, read_part, write_part
from sluice.data.quarantine import RELEASED_FROM, SOURCE
from sluice.data.record import tag_values
from sluice.errors import TrainingError
from sluice.recipe.training import ReplaySection

pa: Any = pyarrow  # not typed
pc: Any = pyarrow.compute
NEW, OLDER, GENERAL = 0, 1, 2
KIND_COLUMNS = ("id", "source", "tags")

Kinds = npt.NDArray[np.int8]
Numbers = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class ReplayCounts:
    """Rows that train, by kind, and those that were left out of this training."""

    new: int
    older: int
    general: int
    older_left_out: int
    general_left_out: int

    @property
    def rows(self) -> int:
        """All rows that train."""
        return self.new + self.older + self.general

    def to_json(self) -> dict[str, int]:
        """The counts as a JSON-ready dictionary."""
        return asdict(self)


def write_replay(
    train: Path, champion: Path | None, section: ReplaySection, seed: int, out: Path
) -> ReplayCounts:
    """Write the rows that train to `out`, as parts in their old order; returns their counts.

    Args:
        train: the training rows of the contracted set.
        champion: those of the set that the champion was trained on; None begins at the base, from
            which every row is new.
        section: the shares.
        seed: the training's seed.
        out: a folder that may hold what an earlier call wrote.

    Raises:
        TrainingError: no row is new, so that the shares leave nothing to train on.
    """
    known = _ids_of(champion) if champion is not None else None
    kinds = [_kinds(table, known, section) for table in iterate(train, KIND_COLUMNS)]
    draws = [_draws(table, seed) for table in iterate(train, ["id"])]
    kind, draw = _joined(kinds, np.int8), _joined(draws, np.uint64)
    counts = _counts(kind, section)
    if not counts.rows or (not counts.new and section.older_share is not None):
        raise TrainingError(_nothing_new(counts))
    chosen = _chosen(kind, draw, counts)
    _write(train, chosen, out)
    return counts


def rows_allowed(
    new: int, older: int, general: int, older_share: float, general_share: float
) -> tuple[int, int]:
    """How many older and general rows train beside the `new` ones.

    Each is the largest number of rows that is there and is at most its share of all rows that
    train. Begun at all rows and lowered until both hold, the pair ends where one more row of
    either kind would break its share.
    """
    # Exact, as the recipe writes them: 0.29 of 100 rows is 29, and as a float 28.999…
    first, second = Fraction(str(older_share)), Fraction(str(general_share))
    older, general = _ceilings(new, older, general, first, second)
    while True:
        total = new + older + general
        lower = min(older, floor(first * total)), min(general, floor(second * total))
        if lower == (older, general):
            return lower
        older, general = lower


def _ceilings(
    new: int, older: int, general: int, first: Fraction, second: Fraction
) -> tuple[int, int]:
    """What the pair cannot exceed: with shares that leave little, stepping down takes long."""
    if first + second >= 1:
        return older, general
    most = new / (1 - first - second)
    return min(older, floor(first * most)), min(general, floor(second * most))


def _ids_of(folder: Path) -> Any:
    columns = [table.column("id").combine_chunks() for table in iterate(folder, ["id"])]
    return pa.concat_arrays(columns) if columns else pa.array([], pa.string())


def _kinds(table: Any, known: Any, section: ReplaySection) -> Kinds:
    kinds = np.full(table.num_rows, NEW, np.int8)
    if known is not None:
        parents = pa.array(tag_values(table, PARENT_TAG), pa.string())
        seen = pc.or_(_within(table.column("id"), known), _within(parents, known))
        kinds[np.asarray(seen)] = OLDER
    if section.general_source is not None:
        kinds[[_is_of(place, section.general_source) for place in _places(table)]] = GENERAL
    return kinds


def _within(ids: Any, known: Any) -> Any:
    return pc.is_in(ids, value_set=known)


def _places(table: Any) -> Iterator[str]:
    """Where each row came from at first: a released row carries that in a tag."""
    sources: list[str] = table.column("source").to_pylist()
    for source, first in zip(sources, tag_values(table, RELEASED_FROM), strict=True):
        yield first if first and source.startswith(f"{SOURCE}/") else source


def _is_of(place: str, name: str) -> bool:
    """Whether a row's place is the source `name`, a file of it, or a variant of such a row.

    Files of the landing folder end in a suffix, which no name of a source has.
    """
    return place.startswith(name) and place[len(name) : len(name) + 1] in ("", "/", "+")


def _draws(table: Any, seed: int) -> Numbers:
    ids: list[str] = table.column("id").to_pylist()
    return np.array([xxhash.xxh3_64_intdigest(f"{seed}:{id}".encode()) for id in ids], np.uint64)


def _joined(arrays: Sequence[Any], kind: Any) -> Any:
    return np.concatenate([np.zeros(0, kind), *arrays])


def _counts(kind: Kinds, section: ReplaySection) -> ReplayCounts:
    new, older, general = (int(np.count_nonzero(kind == one)) for one in (NEW, OLDER, GENERAL))
    if section.older_share is None:  # no limit: they count like the new ones
        _, kept = rows_allowed(new + older, 0, general, 0.0, section.general_share)
        return ReplayCounts(new, older, kept, 0, general - kept)
    both = rows_allowed(new, older, general, section.older_share, section.general_share)
    return ReplayCounts(new, *both, older - both[0], general - both[1])


def _chosen(kind: Kinds, draw: Numbers, counts: ReplayCounts) -> npt.NDArray[np.bool_]:
    chosen = kind == NEW
    for one, wanted in ((OLDER, counts.older), (GENERAL, counts.general)):
        rows = np.flatnonzero(kind == one)
        # Stable: rows of one id are equal, and which of them trains does not matter.
        chosen[rows[np.argsort(draw[rows], kind="stable")[:wanted]]] = True
    return chosen


def _write(train: Path, chosen: npt.NDArray[np.bool_], out: Path) -> None:
    start = 0
    for path in part_files(train):
        table = read_part(path)
        own = chosen[start : start + table.num_rows]
        start += table.num_rows
        write_part(out / path.name, table.filter(pa.array(own, pa.bool_())))


def _nothing_new(counts: ReplayCounts) -> str:
    older, general = counts.older + counts.older_left_out, counts.general + counts.general_left_out
    return (
        f"No training row is new: the champion was trained on {older} of them, and {general} are "
        "general ones. Nothing was trained, since shares of older rows need new ones. Bring new "
        "rows, or take `training.replay` out of the recipe to train on all rows again."
    )
