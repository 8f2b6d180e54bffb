"""From a raw row to a canonical one, or to the reason why it cannot become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sluice.data.forms.known import READINGS, Reading, reading_by
from sluice.data.forms.misfit import Fields, MisfitError, is_missing
from sluice.data.forms.plain import scalar_text
from sluice.data.outcomes import Reject
from sluice.data.reading import RawRow
from sluice.data.record import Record, Tags, content_id
from sluice.recipe import MappingSection
from sluice.recipe.data import Form

Convert = Callable[[RawRow, str], Record | Reject]


def converter(form: Form, mapping: MappingSection | None, tags: Sequence[str]) -> Convert:
    """What makes a record of a row and the name of its source. Never raises for bad content.

    It is a closure and cannot be sent to another process; its arguments can.

    Args:
        form: the form of the rows, found or set; `mapping` needs `mapping`.
        mapping: the recipe's templates.
        tags: fields that become tags of a row, where it has them.
    """
    reading = _reading(form, mapping)
    messages_of, tools_of, received_at = reading.messages, reading.tools, reading.received_at
    names = sorted(set(tags))

    def convert(row: RawRow, source: str) -> Record | Reject:
        fields = row.values
        try:
            messages = messages_of(fields)
            tools = tools_of(fields) if tools_of else None
            found = _tags(fields, names)
            if reading.tags:
                found = tuple(sorted({**dict(found), **dict(reading.tags(fields))}.items()))
            received = received_at(fields)
        except MisfitError as misfit:
            return Reject(row.id, source, row.line, row.offset, misfit.reason, misfit.detail)
        id = content_id(messages, tools)
        return Record(id, messages, source, row.line, found, None, received, tools)

    return convert


def _reading(form: Form, mapping: MappingSection | None) -> Reading:
    if form == "mapping":
        if mapping is None:
            raise ValueError("the form `mapping` needs templates")
        return reading_by(mapping)
    if form == "auto":
        raise ValueError("find the form with `detect_form` first")
    return READINGS[form]


def _tags(fields: Fields, names: Sequence[str]) -> Tags:
    found: list[tuple[str, str]] = []
    for name in names:
        if name in fields:
            value = fields[name]
            text = value if isinstance(value, str) else _tag(value, name)
            if text:  # tables write an empty text where there is no value
                found.append((name, text))
    return tuple(found)


def _tag(value: object, name: str) -> str:
    return "" if is_missing(value) else scalar_text(value, name)
