"""Augmentation: more training rows, made from the real ones by rules that are told and counted.

Off unless the recipe lists a method. Variants belong to the training split alone, carry the tags
`augmented` (the method) and `augmented_from` (the id of the parent), and depend on nothing but
the seed, the rows, and the dictionaries or translations: the same ones give the same bytes,
however the rows are cut into parts.

`augment` does it for rows in memory. For more, run `augment_table` and `candidates` over the
parts, then decide with `fates_of` over the columns of all of them `together`.
"""

from __future__ import annotations

from sluice.data.augmentation.augment import (
    Augmented,
    Candidates,
    augment,
    candidates,
    counts_of,
    fates_of,
    most,
    together,
)
from sluice.data.augmentation.making import (
    AugmentedTable,
    added,
    augment_table,
    check_failures,
    prompt_digests,
)
from sluice.data.augmentation.settings import AugmentSettings, augment_settings
from sluice.data.augmentation.variant import METHOD_TAG, PARENT_TAG

__all__ = [
    "METHOD_TAG",
    "PARENT_TAG",
    "AugmentSettings",
    "Augmented",
    "AugmentedTable",
    "Candidates",
    "added",
    "augment",
    "augment_settings",
    "augment_table",
    "candidates",
    "check_failures",
    "counts_of",
    "fates_of",
    "most",
    "prompt_digests",
    "together",
]
