"""From findings to a verdict: what is set aside, whether the batch stops, and in which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from data_contracts.check import Checked
from data_contracts.findings import EXAMPLES, Finding
from sluice.data.parts import Part, read_part

# Changes with the clock, so it stands in the report of a run and not in the lake.
_OF_THE_MOMENT = "freshness_hours"


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a row that broke an expectation came from."""

    id: str
    source: str
    line: int

    def __str__(self) -> str:
        return f"{self.id} ({self.source}:{self.line})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a contract came to. `complaints` are why the batch stops; there are none if it passes.

    `summary` is JSON-ready and the same for the same rows; `examples` are of each finding.
    """

    checked: Checked
    complaints: tuple[str, ...]
    summary: dict[str, Any]
    examples: tuple[tuple[RowPlace, ...], ...]


def verdict_on(checked: Checked, parts: Sequence[Part], max_quarantined_share: float) -> Verdict:
    """The verdict on a batch, of which at most that share of rows may be set aside."""
    examples = tuple(
        _places(parts, () if found.places is None else found.places[:EXAMPLES])
        for found in checked.findings
    )
    complaints = _complaints(checked, examples, max_quarantined_share)
    return Verdict(checked, tuple(complaints), _summary(checked, examples, complaints), examples)


def explain(verdicts: Sequence[Verdict], docs_folder: Path) -> str | None:
    """Why the batch stops, in one paragraph; None if it passes all contracts."""
    broken = [verdict for verdict in verdicts if verdict.complaints]
    if not broken:
        return None
    each = [
        f"The batch breaks the contract {verdict.checked.contract}: "
        f"{'; '.join(verdict.complaints)}."
        for verdict in broken
    ]
    names = " and ".join(f"data_contracts/{v.checked.contract}.py" for v in broken)
    pages = ", ".join(str(docs_folder / v.checked.contract / "index.html") for v in broken)
    return (
        f"{' '.join(each)} Nothing was trained. All results: {pages}. Fix the source, or change "
        f"the limits under `contract` in the recipe, or {names}, on purpose."
    )


def codes_at(findings: Sequence[Finding], quarantined: Any) -> list[list[str]]:
    """For each quarantined position the codes of what it broke; the first is its reason."""
    codes: list[list[str]] = [[] for _ in quarantined]
    for finding in findings:
        for at in np.searchsorted(quarantined, finding.condemned).tolist():
            codes[at].append(finding.expectation)
    return codes


def _complaints(
    checked: Checked, examples: Sequence[Sequence[RowPlace]], limit: float
) -> list[str]:
    pairs = list(zip(checked.findings, examples, strict=True))
    failed = [_describe(found, rows) for found, rows in pairs if found.fails_the_batch]
    away = len(checked.quarantined)
    if checked.rows and (away > limit * checked.rows or away == checked.rows):
        share = away / checked.rows
        failed.append(
            f"{away} of {checked.rows} rows ({share:.1%}) break the contract, more than "
            f"contract.max_quarantined_share ({limit:.0%})"
        )
        failed += [_describe(found, rows) for found, rows in pairs if len(found.condemned)]
    return failed


def _describe(found: Finding, rows: Sequence[RowPlace]) -> str:
    text = f"{found.expectation} [{found.says}]" if found.says else found.expectation
    if found.error is not None:
        return f"{text} could not be evaluated: {found.error}"
    if rows:
        return f"{text}: {found.failed_rows} rows, for example {', '.join(map(str, rows))}"
    return f"{text}: observed {_shown(found.observed)}"


def _shown(observed: float | int | None) -> str:
    return "nothing that can be shown" if observed is None else f"{observed:g}"


def _summary(
    checked: Checked, examples: Sequence[Sequence[RowPlace]], complaints: Sequence[str]
) -> dict[str, Any]:
    away = len(checked.quarantined)
    findings = checked.findings
    return {
        "contract": checked.contract,
        "success": not complaints,
        "rows": checked.rows,
        "kept": checked.rows - away,
        "quarantined": away,
        "warnings": sum(not f.success and f.severity != "critical" for f in findings),
        "measures": {k: v for k, v in checked.measures.items() if k != _OF_THE_MOMENT},
        "expectations": [
            {**_without_the_moment(found), "examples": [str(place) for place in places]}
            for found, places in zip(findings, examples, strict=True)
        ],
    }


def _without_the_moment(found: Finding) -> dict[str, Any]:
    fields = found.to_json()
    return {**fields, "observed": None} if _OF_THE_MOMENT in found.expectation else fields


def _places(parts: Sequence[Part], positions: Sequence[int]) -> tuple[RowPlace, ...]:
    starts = [part.start for part in parts]
    places: list[RowPlace] = []
    for position in positions:
        # Empty parts start where the next one does; the last that starts here has the row.
        part = parts[int(np.searchsorted(starts, position, side="right")) - 1]
        row = read_part(part.path, ["id", "source", "line"]).slice(position - part.start, 1)
        fields = row.to_pylist()[0]
        places.append(RowPlace(str(fields["id"]), str(fields["source"]), int(fields["line"] or 0)))
    return tuple(places)
