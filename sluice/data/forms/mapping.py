"""Rows of any form, by the recipe's own templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from sluice.data.forms.misfit import Fields, MisfitError, is_missing
from sluice.data.forms.pairs import Messages, below, system_message
from sluice.data.forms.plain import value_text
from sluice.data.record import Message, Tags
from sluice.recipe import MappingSection
from sluice.recipe.template import Slot, parse_template

Render = Callable[[Fields], str]
_NONE: Mapping[str, str] = {}


def renderer(template: str | None, mapping: MappingSection) -> Render:
    """What writes a template for a row. No template writes an empty text.

    Its errors are `missing_<field>`, `wrong_type` and `unknown_value`.
    """
    pieces = [
        piece if isinstance(piece, str) else _slot(piece, mapping)
        for piece in parse_template(template or "")
    ]

    def render(fields: Fields) -> str:
        return "".join([p if isinstance(p, str) else p(fields) for p in pieces])

    return render


def messages_by(mapping: MappingSection) -> Callable[[Fields], Messages]:
    """What builds a conversation by the mapping's templates."""
    system, context = renderer(mapping.system, mapping), renderer(mapping.input, mapping)
    instruction, output = (renderer(t, mapping) for t in (mapping.instruction, mapping.output))

    def messages(fields: Fields) -> Messages:
        question = below(instruction(fields), context(fields))
        pair = (Message("user", question), Message("assistant", output(fields)))
        return (*system_message(system(fields)), *pair)

    return messages


def tags_by(mapping: MappingSection) -> Callable[[Fields], Tags]:
    """What builds tags by the mapping's templates; a blank one is no tag."""
    templates = [(name, renderer(template, mapping)) for name, template in mapping.tags.items()]

    def tags(fields: Fields) -> Tags:
        found = [(name, render(fields).strip()) for name, render in templates]
        return tuple(pair for pair in found if pair[1])

    return tags


def _slot(slot: Slot, mapping: MappingSection) -> Render:
    path, join = slot.path, mapping.join
    steps = path.split(".")
    names = mapping.names.get(path, _NONE)

    def render(fields: Fields) -> str:
        value = _found(fields, path, steps)
        if is_missing(value):
            if slot.optional:
                return ""
            raise MisfitError(f"missing_{path}", "null, or no such field")
        text = value_text(value, path, join)
        return _named(text, names, path) if names else text

    return render


def _found(fields: Fields, path: str, steps: list[str]) -> object:
    """The value at a path: of the field with that whole name, or step by step; None if missing."""
    value: object = fields.get(path)
    if value is not None or len(steps) == 1:
        return value
    value = fields
    for step in steps:
        value = _inside(value, step)
    return value


def _inside(value: object, step: str) -> object:
    if isinstance(value, dict):
        return cast("Fields", value).get(step)
    if isinstance(value, list) and step.isdecimal():
        items = cast("list[object]", value)
        return items[int(step)] if int(step) < len(items) else None
    return None


def _named(text: str, names: Mapping[str, str], path: str) -> str:
    name = names.get(text)
    if name is None:
        raise MisfitError("unknown_value", f"{path}: none of the {len(names)} values in `names`")
    return name
