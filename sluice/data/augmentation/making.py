"""The variants of one part of the training rows, before anything is compared or capped."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sluice.data.augmentation.draws import Draws
from sluice.data.augmentation.settings import AugmentSettings
from sluice.data.augmentation.variant import METHOD_TAG, PARENT_TAG, Maker, Missed, child
from sluice.data.record import Record, records_of, table_of
from sluice.data.similarity import folded
from sluice.errors import SluiceError

Counts = dict[str, dict[str, int]]  # by method, then by what became of the rows that it tried


@dataclass(frozen=True)
class Made:
    """Variants, and for each method how many rows it tried, made, and missed, with reasons.

    `failures` counts what the endpoint of a back-translation said when it gave no translation.
    """

    records: tuple[Record, ...]
    counts: Counts
    failures: dict[str, int]


@dataclass(frozen=True)
class AugmentedTable:
    """The same with the variants as an Arrow table."""

    table: Any
    counts: Counts
    failures: dict[str, int]


def augment_table(table: Any, settings: AugmentSettings) -> AugmentedTable:
    """All variants of a part of the training rows. They depend on the rows, not on the part."""
    made = make(records_of(table), settings)
    return AugmentedTable(table_of(made.records), made.counts, made.failures)


def make(records: Sequence[Record], settings: AugmentSettings) -> Made:
    """All variants of some rows, ordered by parent, then by method as the recipe lists them."""
    each = [_made_by(maker, records, settings) for maker in settings.makers]
    order = {record.id: place for place, record in reversed(list(enumerate(records)))}
    variants = [variant for made in each for variant in made.records]
    return Made(
        tuple(sorted(variants, key=lambda r: (order[r.tag(PARENT_TAG) or ""], r.line))),
        added(made.counts for made in each),
        dict(sum((Counter(made.failures) for made in each), Counter[str]())),
    )


def _made_by(maker: Maker, records: Sequence[Record], settings: AugmentSettings) -> Made:
    tried = [
        (record, draws)
        for record in records
        # A variant of a variant would drift from what was ever said.
        if record.question and record.answer and record.tag(METHOD_TAG) is None
        if (draws := Draws(settings.seed, record.id, maker.name)).place
        < settings.shares[maker.name]
    ]
    found = maker.variants([record for record, _ in tried], [draws for _, draws in tried])
    made: list[Record] = []
    counts, failures = Counter(tried=len(tried), made=0), Counter[str]()
    for (record, _), variant in zip(tried, found, strict=True):
        if isinstance(variant, Missed):
            counts[variant.reason] += 1
            failures[variant.detail] += variant.failed
        else:
            counts["made"] += 1
            made.append(child(record, maker.name, variant))
    return Made(tuple(made), {maker.name: dict(counts)}, dict(+failures))


def added(counts: Iterable[Counts]) -> Counts:
    """The counts of several parts as one."""
    total: dict[str, Counter[str]] = {}
    for part in counts:
        for method, values in part.items():
            total.setdefault(method, Counter()).update(values)
    return {method: dict(values) for method, values in total.items()}


def check_failures(counts: Counts, failures: dict[str, int], settings: AugmentSettings) -> None:
    """Refuse a run in which the endpoint failed too often: nobody asked for half of it.

    Raises:
        SluiceError: more than `max_failed_share` of the rows that were sent failed.
    """
    values = counts.get("back_translation", {})
    failed, tried = values.get("failed", 0), values.get("tried", 0)
    if failed > settings.max_failed_share * tried:
        said = "; ".join(f"{n} x {text}" for text, n in sorted(failures.items()))
        raise SluiceError(
            f"augmentation: back_translation: {failed} of {tried} questions got no translation "
            f"({said}). Repair the endpoint and run again: what it has already translated is kept. "
            "Or raise `max_failed_share` of the method."
        )


def ranks(records: Sequence[Record], settings: AugmentSettings) -> Any:
    """A stable rank of each variant (uint64): those with the lowest are kept under the cap."""
    return np.array(
        [
            Draws(settings.seed, r.tag(PARENT_TAG) or "", r.tag(METHOD_TAG) or "").rank
            for r in records
        ],
        np.uint64,
    )


def prompt_digests(records: Iterable[Record]) -> Any:
    """A digest (uint64) of all that comes before each answer, without case and spacing.

    Two rows with the same have the same question: the second is a copy, or contradicts.
    """
    return np.fromiter((_prompt_digest(r) for r in records), np.uint64)


def _prompt_digest(record: Record) -> int:
    texts = [f"{m.role}\n{folded(m.content)}\n{m.more or ''}" for m in record.prompt]
    said = "\0".join([*texts, record.tools or ""])
    return int.from_bytes(hashlib.blake2b(said.encode(), digest_size=8).digest(), "big")
