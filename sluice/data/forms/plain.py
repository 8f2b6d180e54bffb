"""Values of a row as text: for templates, tags and labels."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, cast

from sluice.data.forms.misfit import MisfitError, wrong_type
from sluice.data.strict_json import Fault, parse_object

MAX_NESTING = 32  # of JSON within a text; as deep as a row may be by default


def scalar_text(value: object, what: str) -> str:
    """Text, a number, true or false, or a date as text; nothing else.

    Raises:
        MisfitError: `wrong_type`, where the value is a list, an object or bytes.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, Decimal)):
        return str(value)
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    raise wrong_type(value, what, "text or a number")


def value_text(value: object, what: str, join: str) -> str:
    """Any value as text: a list of texts joined, another list and an object as canonical JSON."""
    if isinstance(value, list):
        items = cast("list[object]", value)
        if all(isinstance(item, str) for item in items):
            return join.join(cast("list[str]", items))
        return canonical_json(items, what)
    if isinstance(value, dict):
        return canonical_json(cast("object", value), what)
    return scalar_text(value, what)


def canonical_json(value: object, what: str) -> str:
    """JSON with sorted keys and nothing escaped that need not be: equal values, equal text.

    Raises:
        MisfitError: `wrong_type`, where a part of the value has no place in JSON.
    """
    try:
        return json.dumps(
            value,
            sort_keys=True,
            ensure_ascii=False,
            separators=(",", ":"),
            allow_nan=False,
            default=lambda part: scalar_text(part, what),
        )
    except (TypeError, ValueError) as error:
        if isinstance(error, MisfitError):
            raise
        raise MisfitError("wrong_type", f"{what} has a part that JSON cannot hold") from None


def json_in_text(text: str, what: str) -> Any:
    """The value of JSON that a row holds as text, read by the same strict rules as a line.

    Raises:
        MisfitError: `wrong_type`, where the text is no such JSON.
    """
    wrapped = parse_object(b'{"value":' + text.encode() + b"}", MAX_NESTING)
    if isinstance(wrapped, Fault) or len(wrapped) != 1:
        why = wrapped.reason if isinstance(wrapped, Fault) else "not_json"
        raise MisfitError("wrong_type", f"{what} is text that is not JSON ({why})")
    return wrapped["value"]
