"""The forms by name: what a row of each must have, and how it becomes a conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice.data.forms import chats, pairs
from sluice.data.forms.mapping import messages_by, renderer, tags_by
from sluice.data.forms.misfit import Fields
from sluice.data.forms.pairs import Messages
from sluice.data.forms.received import received_at, utc_time
from sluice.data.forms.tool_calls import tool_definitions
from sluice.data.record import Tags
from sluice.recipe import MappingSection
from sluice.recipe.data import Form


@dataclass(frozen=True, slots=True)
class Reading:
    """How the fields of a row become the parts of a record; each raises MisfitError.

    None where a form has no such part.
    """

    messages: Callable[[Fields], Messages]
    tools: Callable[[Fields], str | None] | None = None
    tags: Callable[[Fields], Tags] | None = None
    received_at: Callable[[Fields], str | None] = received_at


READINGS: dict[Form, Reading] = {
    "alpaca": Reading(pairs.alpaca),
    "prompt_completion": Reading(chats.prompt_completion, tools=tool_definitions),
    "messages": Reading(chats.openai_messages, tools=tool_definitions),
    "sharegpt": Reading(chats.sharegpt, tools=tool_definitions),
    "text": Reading(pairs.plain_text),
    "input_output": Reading(pairs.input_output),
    "input_label": Reading(pairs.input_label, tags=pairs.label_tags),
}


def reading_by(mapping: MappingSection) -> Reading:
    """The form that a recipe's own templates make."""
    time = renderer(mapping.received_at, mapping)
    return Reading(
        messages=messages_by(mapping),
        tags=tags_by(mapping),
        received_at=received_at if mapping.received_at is None else lambda f: utc_time(time(f)),
    )
