"""The templates of `mapping:`: `{field}`, `{a.b.0.c}`, `{field?}`, and `{{`, `}}` for braces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, cast

from pydantic import AfterValidator

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a template that a field's value takes. An optional field may be missing."""

    path: str
    optional: bool


def parse_template(template: str) -> tuple[str | Slot, ...]:
    """The texts and the slots of a template, in order.

    Raises:
        ValueError: a brace without its partner, or a slot without a name.
    """
    pieces: list[str | Slot] = []
    end = 0
    for found in _PIECE.finditer(template):
        pieces += [template[end : found.start()], _piece(found)]
        end = found.end()
    return tuple(piece for piece in [*pieces, template[end:]] if piece)


def paths_of(template: str) -> set[str]:
    """The fields that a template names."""
    return {piece.path for piece in parse_template(template) if isinstance(piece, Slot)}


def _piece(found: re.Match[str]) -> str | Slot:
    text, inner = found[0], found[1]
    if text in ("{{", "}}"):
        return text[0]
    where = f"at character {found.start() + 1}"
    if inner is None:
        raise ValueError(
            f"the `{text}` {where} has no partner; for a brace itself write {text * 2}"
        )
    path = inner.strip().removesuffix("?")
    if not all(path.split(".")):
        raise ValueError(f"the braces {where} hold no name of a field, as in {{question}}")
    return Slot(path, optional=inner.strip().endswith("?"))


def _checked(template: str) -> str:
    parse_template(template)
    return template


Template = Annotated[str, AfterValidator(_checked)]


def as_written(names: object) -> object:
    """A table of names by field and value, in which the values 0 and true are texts again."""
    if not isinstance(names, dict):
        return names
    tables = cast("dict[Any, Any]", names)
    return {field: _keys_as_text(table) for field, table in tables.items()}


def _keys_as_text(table: Any) -> Any:
    if not isinstance(table, dict):
        return table
    known = cast("dict[Any, Any]", table)
    return {str(key).lower() if isinstance(key, bool) else str(key): v for key, v in known.items()}
