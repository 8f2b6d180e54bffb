"""What a suite found, in our words: plain values, no text of any row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import great_expectations.expectations as gxe
import numpy as np

from data_contracts.groups import columns_of, type_of
from data_contracts.validation import Result

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one expectation over all chunks.

    `expectation` is its code, `arguments` are those of the contract, not of the data. `places` are
    the positions of the rows that break it, in order; None where it is about a
    column or the batch as a whole, or could not be evaluated (`error` then says why).
    """

    expectation: str
    type: str
    arguments: Any
    says: str
    severity: str
    mostly: float
    success: bool
    elements: int
    missing: int
    unexpected: int
    observed: float | int | None
    places: Any
    error: str | None

    @property
    def condemned(self) -> Any:
        """Positions of the rows to be quarantined for it: of a critical one that no row may break.

        An expectation with `mostly` is about the batch: it is kept or broken as a whole.
        """
        whole = self.places is None or self.severity != "critical" or self.mostly < 1
        return np.array([], dtype=np.int64) if whole else self.places

    @property
    def fails_the_batch(self) -> bool:
        """Failed in a way that cannot be laid to single rows, and is not only a warning."""
        if self.error is not None:
            return True  # what could not be checked was not checked: severity does not matter
        return not self.success and self.severity == "critical" and not len(self.condemned)

    @property
    def failed_rows(self) -> int | None:
        """How many rows break it, where it is about rows."""
        return None if self.places is None else len(self.places)

    def to_json(self) -> dict[str, Any]:
        """The finding without the list of rows; `failed_rows` counts them."""
        return {
            "expectation": self.expectation,
            "says": self.says,
            "severity": self.severity,
            "success": self.success,
            "observed": self.observed,
            "failed_rows": self.failed_rows,
            "error": self.error,
        }


def finding_of(expectation: gxe.Expectation, chunks: Sequence[Result]) -> Finding:
    """What an expectation came to, given its results on all chunks (one, for a whole column)."""
    config = expectation.configuration
    mostly = float(config.kwargs.get("mostly") or 1.0)
    error = next((chunk.error for chunk in chunks if chunk.error), None)
    placed = [chunk.places for chunk in chunks if chunk.places is not None]
    return Finding(
        expectation=code_of(expectation),
        type=type_of(expectation),
        arguments=config.kwargs,
        says=expectation.description or "",
        severity=str(getattr(config.severity, "value", config.severity)),
        mostly=mostly,
        success=error is None and _succeeded(chunks, mostly),
        elements=sum(chunk.elements for chunk in chunks),
        missing=sum(chunk.missing for chunk in chunks),
        unexpected=sum(chunk.unexpected for chunk in chunks),
        observed=chunks[0].observed if len(chunks) == 1 else None,
        places=np.sort(np.concatenate(placed)) if placed and error is None else None,
        error=error,
    )


def without_released(finding: Finding, released: Mapping[int, str]) -> Finding:
    """The finding without rows that a person has released from it: positions, and from what."""
    free = [place for place, code in released.items() if code == finding.expectation]
    if not free or finding.places is None or finding.mostly < 1:
        return finding
    places = np.setdiff1d(finding.places, free)
    return replace(finding, places=places, unexpected=len(places), success=not len(places))


def code_of(expectation: gxe.Expectation) -> str:
    """The code under which a row is counted that breaks it: its type, and its columns."""
    columns = columns_of(expectation)
    return f"{type_of(expectation)}({', '.join(columns)})" if columns else type_of(expectation)


def _succeeded(chunks: Sequence[Result], mostly: float) -> bool:
    if mostly == 1 or len(chunks) == 1:
        return all(chunk.success for chunk in chunks)
    # A share is one of all rows: a chunk may fall short of it if others make up for that.
    judged = sum(chunk.elements - chunk.missing for chunk in chunks)
    unexpected = sum(chunk.unexpected for chunk in chunks)
    return judged == 0 or (judged - unexpected) / judged >= mostly
