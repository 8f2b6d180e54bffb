"""Which variants join the training rows: no copies, no evaluation twins, no more than the cap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sluice.data.augmentation.making import (
    Counts,
    added,
    check_failures,
    make,
    prompt_digests,
    ranks,
)
from sluice.data.augmentation.settings import AugmentSettings, augment_settings
from sluice.data.augmentation.variant import METHOD_TAG
from sluice.data.contamination import EvaluationIndex, contaminated
from sluice.data.record import Record, records_of, table_of
from sluice.recipe import AugmentationSection

CONTAMINATED, DUPLICATE, OVER_CAP = "contaminated", "duplicate", "over_cap"
KEPT = "kept"


@dataclass(frozen=True)
class Augmented:
    """The variants that join the training rows, in the order of their parents.

    `counts` says for each method how many rows were tried, made and kept, and why others are not.
    """

    made: tuple[Record, ...]
    counts: Counts
    failures: dict[str, int]


def augment(
    records: Sequence[Record],
    section: AugmentationSection,
    recipe_dir: Path,
    evaluation: EvaluationIndex,
    *,
    translations: Path | None = None,
) -> Augmented:
    """Variants of training rows; none if the recipe lists no method.

    `evaluation` are the rows that nothing may come near which is trained on.

    Raises:
        RecipeError: a dictionary cannot be used, or the key of an endpoint is not set.
        SluiceError: an endpoint failed too often.
    """
    settings = augment_settings(section, recipe_dir, translations)
    made = make(records, settings)
    check_failures(made.counts, made.failures, settings)
    columns = candidates(table_of(made.records), settings, evaluation)
    fates = fates_of(columns, prompt_digests(records), most(len(records), settings))
    counts = added([made.counts, counts_of(made.records, fates)])
    kept = tuple(r for r, fate in zip(made.records, fates, strict=True) if fate == KEPT)
    return Augmented(kept, counts, made.failures)


def most(real_rows: int, settings: AugmentSettings) -> int:
    """How many variants may join so many real training rows."""
    return int(settings.max_share * real_rows)


@dataclass(frozen=True)
class Candidates:
    """What decides about variants: 17 bytes each, so those of ten million rows fit in memory."""

    ranks: Any  # uint64: of those that may join, the lowest do
    prompts: Any  # uint64: the digest of all before the answer
    contaminated: Any  # bool


def candidates(variants: Any, settings: AugmentSettings, evaluation: EvaluationIndex) -> Candidates:
    """The columns of a table of variants."""
    records = records_of(variants)
    near = np.zeros(len(records), bool)
    near[contaminated(variants, evaluation).column("row").to_numpy()] = True
    return Candidates(ranks(records, settings), prompt_digests(records), near)


def together(parts: Sequence[Candidates]) -> Candidates:
    """The columns of several tables, in their order."""
    names = ("ranks", "prompts", "contaminated")
    return Candidates(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def fates_of(variants: Candidates, real_prompts: Any, most: int) -> list[str]:
    """What becomes of each variant. `real_prompts` are the digests of all real training rows.

    Variants are looked at in the order of their ranks, so the order they come in decides nothing.
    """
    fates = np.full(len(variants.ranks), OVER_CAP, dtype=object)
    fates[variants.contaminated] = CONTAMINATED
    order = np.lexsort((variants.prompts, variants.ranks))
    fresh = order[~variants.contaminated[order]]
    prompts = variants.prompts[fresh]
    _, first = np.unique(prompts, return_index=True)
    unique = np.zeros(len(fresh), bool)
    unique[first] = True
    unique &= ~np.isin(prompts, real_prompts)
    fates[fresh[~unique]] = DUPLICATE
    fates[fresh[unique][:most]] = KEPT
    return fates.tolist()


def counts_of(variants: Sequence[Record], fates: Sequence[str]) -> Counts:
    """How many variants of each method had each fate."""
    pairs = Counter(
        (record.tag(METHOD_TAG) or "", fate) for record, fate in zip(variants, fates, strict=True)
    )
    return added({method: {fate: number}} for (method, fate), number in pairs.items())
