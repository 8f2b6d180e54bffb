"""What a suite found, in our words: plain values, no numpy, no text of any row."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one expectation.

    `rows` are the positions of the rows that break it, and is None where the expectation is about
    the batch as a whole, or could not be evaluated at all (`error` then says why).
    """

    expectation: str
    says: str
    severity: str
    success: bool
    observed: object
    rows: tuple[int, ...] | None
    error: str | None

    @property
    def fails_the_batch(self) -> bool:
        """Failed in a way that cannot be laid to single rows, and is not only a warning."""
        if self.error is not None:
            return True  # what could not be checked was not checked: severity does not matter
        return not self.success and not self.rows and self.severity == "critical"

    @property
    def condemned(self) -> tuple[int, ...]:
        """Positions of the rows to be quarantined for it."""
        return (self.rows or ()) if self.severity == "critical" else ()

    def to_json(self) -> dict[str, Any]:
        """The finding without the list of rows; `failed_rows` counts them."""
        return {
            "expectation": self.expectation,
            "says": self.says,
            "severity": self.severity,
            "success": self.success,
            "observed": self.observed,
            "failed_rows": None if self.rows is None else len(self.rows),
            "error": self.error,
        }


def finding_of(result: dict[str, Any]) -> Finding:
    """Read one result of Great Expectations. Whatever is not plainly a success is a failure."""
    config = result["expectation_config"]
    values: dict[str, Any] = result.get("result") or {}
    listed = values.get("unexpected_index_list")
    error = _error_in(result.get("exception_info"))
    return Finding(
        expectation=_name(config),
        says=config.get("description") or "",
        severity=str(config.get("severity") or "critical"),
        success=result.get("success") is True and error is None,
        observed=_plain(values.get("observed_value", values.get("unexpected_count"))),
        rows=None if listed is None else tuple(sorted({int(row["row"]) for row in listed})),
        error=error,
    )


def _name(config: dict[str, Any]) -> str:
    column = config["kwargs"].get("column")
    return f"{config['type']}({column})" if column else str(config["type"])


def _error_in(info: object) -> str | None:
    """The message of a raised exception. It is reported flat, or per metric, one level deeper."""
    if not isinstance(info, dict) or not info:
        return None
    if "raised_exception" in info:
        return str(info.get("exception_message")) if info["raised_exception"] else None
    return next((error for entry in info.values() if (error := _error_in(entry))), None)


def _plain(value: Any) -> object:
    """A JSON-ready value: numpy scalars become Python's, NaN and the like become text."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if isinstance(value, (str, int, bool, type(None))) else str(value)
