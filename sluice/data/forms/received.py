"""When a row was received, if it says so itself."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

NAMES = ("received_at", "timestamp", "created_at")
# A `timestamp` may count seconds into a film: only what lies between 1990 and 2100 is a date.
EARLIEST, LATEST = 631_152_000, 4_102_444_800
_NUMBER = re.compile(r"\d{9,13}(\.\d+)?")


def received_at(fields: dict[str, Any]) -> str | None:
    """The first of `received_at`, `timestamp` and `created_at` that is a time, in UTC."""
    for name in NAMES:
        if name in fields and (found := utc_time(fields[name])) is not None:
            return found
    return None


def utc_time(value: object) -> str | None:
    """A time as ISO 8601 in UTC: from ISO 8601, or seconds or milliseconds since 1970.

    A time without a zone is taken as UTC. None for anything else.
    """
    moment = _moment(value)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC).isoformat()
    except OverflowError:  # the first or last hours of the calendar, in another zone
        return None


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _since_1970(float(value))
    return _written(value.strip()) if isinstance(value, str) else None


def _written(text: str) -> datetime | None:
    if _NUMBER.fullmatch(text):
        return _since_1970(float(text))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _since_1970(number: float) -> datetime | None:
    for seconds in (number, number / 1000):
        if EARLIEST <= seconds < LATEST:
            return datetime.fromtimestamp(seconds, UTC)
    return None
