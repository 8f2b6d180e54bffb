"""Check rows against a contract: who passes, who is quarantined and why, or why the batch fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx

from data_contracts.findings import EXAMPLES, Finding, finding_of
from data_contracts.floor import with_floor
from data_contracts.frame import Columns, records_frame
from data_contracts.validation import run_suite
from sluice.data.record import Record
from sluice.errors import ContractError
from sluice.lake import write_json
from sluice.recipe import ContractSection


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A row that broke critical expectations. `position` is its place among the checked rows."""

    position: int
    record: Record
    expectations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A batch that passed: every row is in `kept` or in `quarantined`. `summary` is JSON-ready."""

    kept: tuple[Record, ...]
    quarantined: tuple[Quarantined, ...]
    summary: dict[str, Any]


def check_rows(
    records: Sequence[Record],
    suite: gx.ExpectationSuite,
    *,
    contract: ContractSection,
    docs_folder: Path,
    extra: Columns | None = None,
) -> Checked:
    """Run a suite over rows. Rows that break a critical expectation are quarantined.

    Warnings are only reported. `extra` adds columns to the frame, one value per record.
    `docs_folder` receives the Data Docs and `contract.json`, whether the batch passes or not.

    Raises:
        ContractError: an expectation about the whole batch failed or could not be evaluated, more
            than `contract.max_quarantined_share` of the rows are quarantined, or none is left.
    """
    full_suite = with_floor(suite)
    results = run_suite(records_frame(records, extra), full_suite, docs_folder)
    findings = sorted(map(finding_of, results), key=lambda found: (found.expectation, found.says))
    quarantined = _quarantined(records, findings)
    summary = _summary(suite.name, records, findings, quarantined)
    complaints = _complaints(records, findings, quarantined, contract.max_quarantined_share)
    write_json(docs_folder / "contract.json", {**summary, "success": not complaints})
    if complaints:
        raise ContractError(_explain(suite.name, complaints, docs_folder))
    away = {row.position for row in quarantined}
    kept = tuple(record for i, record in enumerate(records) if i not in away)
    return Checked(kept, quarantined, {**summary, "success": True})


def _quarantined(records: Sequence[Record], findings: Sequence[Finding]) -> tuple[Quarantined, ...]:
    broken: defaultdict[int, list[str]] = defaultdict(list)
    for finding in findings:
        for row in finding.condemned:
            broken[row].append(finding.expectation)
    return tuple(Quarantined(row, records[row], tuple(broken[row])) for row in sorted(broken))


def _summary(
    name: str,
    records: Sequence[Record],
    findings: Sequence[Finding],
    quarantined: Sequence[Quarantined],
) -> dict[str, Any]:
    return {
        "contract": name,
        "rows": len(records),
        "kept": len(records) - len(quarantined),
        "quarantined": len(quarantined),
        "warnings": sum(not f.success and f.severity != "critical" for f in findings),
        "expectations": [
            {**finding.to_json(), "examples": _examples(records, finding.rows or ())}
            for finding in findings
        ],
    }


def _complaints(
    records: Sequence[Record],
    findings: Sequence[Finding],
    quarantined: Sequence[Quarantined],
    limit: float,
) -> list[str]:
    failed = [_describe(records, found) for found in findings if found.fails_the_batch]
    too_many = len(quarantined) > limit * len(records) or len(quarantined) == len(records)
    if records and too_many:
        share = len(quarantined) / len(records)
        failed.append(
            f"{len(quarantined)} of {len(records)} rows ({share:.1%}) break the contract, more "
            f"than contract.max_quarantined_share ({limit:.0%})"
        )
        failed += [_describe(records, found) for found in findings if found.condemned]
    return failed


def _describe(records: Sequence[Record], found: Finding) -> str:
    text = f"{found.expectation} [{found.says}]" if found.says else found.expectation
    if found.error is not None:
        return f"{text} could not be evaluated: {found.error}"
    if found.rows:
        examples = ", ".join(_examples(records, found.rows))
        return f"{text}: {len(found.rows)} rows, for example {examples}"
    return f"{text}: observed {found.observed}"


def _examples(records: Sequence[Record], rows: Sequence[int]) -> list[str]:
    shown = [records[row] for row in rows[:EXAMPLES]]
    return [f"{record.id} ({record.source}:{record.line})" for record in shown]


def _explain(name: str, complaints: Sequence[str], docs_folder: Path) -> str:
    return (
        f"The batch breaks the contract {name}: {'; '.join(complaints)}. Nothing was trained. "
        f"All results: {docs_folder / 'index.html'}. "
        f"Fix the source, or change data_contracts/{name}.py on purpose."
    )
