"""A key of the recipe in words: its type, its limits, its default."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

WORDS: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    Path: "path",
}
PLURALS = {"text": "texts", "number": "numbers", "path": "paths", "whole number": "whole numbers"}
PLURALS["mapping of names to texts"] = "mappings of names to texts"
LIMITS = {"gt": "above {}", "ge": "at least {}", "lt": "below {}", "le": "at most {}"}
LONGEST_DEFAULT = 60  # characters; longer ones would make the table too wide to read


def type_of(field: FieldInfo, names: dict[type[BaseModel], str]) -> str:
    """The type of a key with its limits. `names` are links to sections listed by themselves."""
    return _with_limits(_worded(field.annotation, names), field.metadata)


def default_of(field: FieldInfo) -> str:
    """The default of a key, as YAML."""
    if field.is_required():
        return "**required**"
    value: Any = field.default
    if value is None:
        return "none"
    if isinstance(value, BaseModel):
        return ""
    text = yaml_text(value)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see below"


def yaml_text(value: object) -> str:
    """A value on one line of YAML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(yaml_text(item) for item in value)}]"
    if isinstance(value, BaseModel):
        return yaml.safe_dump(value.model_dump(), sort_keys=False)
    if isinstance(value, str) and "\n" in value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return yaml.safe_dump(value, width=1000, allow_unicode=True).removesuffix("...\n").strip()
    return str(value)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The sections that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_in(part)]


def _worded(annotation: Any, names: dict[type[BaseModel], str]) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        options = [_worded(part, names) for part in parts if part is not type(None)]
        return " or ".join(dict.fromkeys(options))
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in parts)
    if origin is Annotated:
        return _with_limits(_worded(parts[0], names), parts[1:])
    if origin is tuple:
        return _list_of(parts, names)
    if origin is dict:
        return f"mapping of names to {_plural(_worded(parts[1], names))}"
    if annotation in names:
        return names[annotation]
    return WORDS[annotation]


def _list_of(parts: tuple[Any, ...], names: dict[type[BaseModel], str]) -> str:
    if parts[-1] is Ellipsis:
        return f"list of {_plural(_worded(parts[0], names))}"
    return f"list of {len(parts)}, each a {_worded(parts[0], names)}"


def _plural(word: str) -> str:
    first, comma, limits = word.partition(", ")
    return f"{PLURALS.get(first, first)}{comma}{limits}"


def _with_limits(word: str, marks: Any) -> str:
    return ", ".join([word, *filter(None, (_limit(mark) for mark in marks))])


def _limit(mark: Any) -> str | None:
    """A constraint of pydantic's, in words."""
    if isinstance(mark, FieldInfo):
        return ", ".join(filter(None, map(_limit, mark.metadata))) or None
    for name, word in LIMITS.items():
        if hasattr(mark, name):
            return word.format(yaml_text(getattr(mark, name)))
    if hasattr(mark, "min_length"):
        return "not empty"
    if getattr(mark, "pattern", None):
        return f"as `{mark.pattern}`"
    return None
