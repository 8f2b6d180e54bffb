"""Raw rows for the tests of forms, and what became of them."""

from __future__ import annotations

from typing import Any

from sluice.data.forms import converter
from sluice.data.outcomes import Reject
from sluice.data.reading import RawRow
from sluice.data.record import Record
from sluice.recipe import MappingSection
from sluice.recipe.data import Form

TAGS = ("intent", "contributor")


def converted(
    values: dict[str, Any], form: Form, mapping: MappingSection | None = None
) -> Record | Reject:
    """A row of line 3 at byte 40 of `jan.jsonl`, converted."""
    return converter(form, mapping, TAGS)(RawRow(values, 3, 40, "0123456789abcdef"), "jan.jsonl")


def record_of(values: dict[str, Any], form: Form, mapping: MappingSection | None = None) -> Record:
    """The record that a row must become."""
    found = converted(values, form, mapping)
    assert isinstance(found, Record), found
    return found


def reject_of(values: dict[str, Any], form: Form, mapping: MappingSection | None = None) -> Reject:
    """The reject that a row must become."""
    found = converted(values, form, mapping)
    assert isinstance(found, Reject), found
    return found


def turns(record: Record) -> list[tuple[str, str]]:
    """Roles and texts of a conversation."""
    return [(message.role, message.content) for message in record.messages]
