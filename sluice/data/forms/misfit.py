"""Why a row does not fit a form, and the checks of single fields that every form makes."""

from __future__ import annotations

import math
from typing import Any

from sluice.data.strict_json import kind_of

Fields = dict[str, Any]


class MisfitError(ValueError):
    """A row that does not fit its form: a stable reason code, and a detail that quotes nothing."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def is_missing(value: object) -> bool:
    """Whether a value stands for none: null, or the NaN that tables write in its place."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def required(fields: Fields, name: str) -> Any:
    """The value of a field.

    Raises:
        MisfitError: `missing_<name>` where it is not there, or null.
    """
    value = fields.get(name)
    if is_missing(value):
        raise MisfitError(f"missing_{name}", "null" if name in fields else "no such key")
    return value


def required_text(fields: Fields, name: str) -> str:
    """The text of a field, which may be empty: whether that is good enough is for cleaning.

    Raises:
        MisfitError: `missing_<name>`, or `wrong_type`.
    """
    value = fields.get(name)
    return value if isinstance(value, str) else as_text(required(fields, name), name)


def optional_text(fields: Fields, name: str) -> str:
    """The text of a field; empty where it is not there, or null."""
    value = fields.get(name)
    if isinstance(value, str):
        return value
    return "" if is_missing(value) else as_text(value, name)


def as_text(value: object, what: str) -> str:
    """A value that must be text."""
    if not isinstance(value, str):
        raise wrong_type(value, what, "text")
    return value


def wrong_type(value: object, what: str, wanted: str) -> MisfitError:
    """The error of a value that is of another type than `wanted`."""
    return MisfitError("wrong_type", f"{what} is {kind_of(value)}, not {wanted}")
