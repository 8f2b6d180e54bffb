"""The Data Docs of one contract: one page, rendered by Great Expectations from our findings.

The findings hold counts, places and numbers of the batch, and no cell of any row, so the page
cannot quote one.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
    RunIdentifier,
)
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView

from data_contracts.findings import Finding
from data_contracts.offline_docs import offline
from data_contracts.verdict import Verdict
from sluice.lake import write_json


def write_docs(verdict: Verdict, folder: Path) -> None:
    """Write `index.html` and `contract.json` into a folder of the run."""
    measures = dict(verdict.checked.measures)
    write_json(folder / "contract.json", {**verdict.summary, "measures": measures})
    page = _rendered(verdict)
    text = offline(page, _examples(verdict) + _table("Measures of the batch", measures.items()))
    (folder / "index.html").write_text(text, encoding="utf-8")


def _rendered(verdict: Verdict) -> str:
    results = [_result(found) for found in verdict.checked.findings]
    passed = sum(bool(result.success) for result in results)
    whole = ExpectationSuiteValidationResult(
        success=not verdict.complaints,
        results=results,
        suite_name=verdict.checked.contract,
        statistics={
            "evaluated_expectations": len(results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(results) - passed,
            "success_percent": 100 * passed / len(results),
        },
        meta={
            "run_id": RunIdentifier(run_time=datetime.now(UTC)),
            "great_expectations_version": gx.__version__,
        },
    )
    return str(_view().render(ValidationResultsPageRenderer().render(whole)))


@cache
def _view() -> Any:
    return DefaultJinjaPageView()  # compiles its templates, which takes 0.2 s, once


def _result(found: Finding) -> ExpectationValidationResult:
    judged = found.elements - found.missing
    values: dict[str, Any] = {"observed_value": found.observed}
    if found.places is not None:
        values = {
            "element_count": found.elements,
            "missing_count": found.missing,
            "unexpected_count": found.unexpected,
            "unexpected_percent": 100 * found.unexpected / judged if judged else 0.0,
        }
    return ExpectationValidationResult(
        success=found.success,
        expectation_config=ExpectationConfiguration(
            type=found.type, kwargs=dict(found.arguments), description=found.says or None
        ),
        result=values,
        exception_info={
            "raised_exception": found.error is not None,
            "exception_message": found.error,
            "exception_traceback": "",  # it may quote a cell, and the page wants a text
        },
    )


def _examples(verdict: Verdict) -> str:
    pairs = [
        (found.says or found.expectation, ", ".join(map(str, places)))
        for found, places in zip(verdict.checked.findings, verdict.examples, strict=True)
        if places
    ]
    return _table("Rows that break an expectation, the first of each", pairs) if pairs else ""


def _table(title: str, pairs: Any) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(str(name))}</td><td>{html.escape(_cell(value))}</td></tr>"
        for name, value in pairs
    )
    return f"<h5>{html.escape(title)}</h5><table>{rows}</table>"


def _cell(value: object) -> str:
    return (
        "not known" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    )
