"""How alike two texts are, in any script: the measure itself, and the same over whole columns."""

from __future__ import annotations

from sluice.data.similarity.measure import (
    Shingle,
    folded,
    jaccard,
    shingles,
    tokens_of,
)

__all__ = ["Shingle", "folded", "jaccard", "shingles", "tokens_of"]
