"""Read a recipe from YAML: errors carry the file, the line, and the nearest key that exists."""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from pathlib import Path
from typing import Any, cast, get_args

import yaml
from pydantic import BaseModel, ValidationError

from sluice.errors import RecipeError
from sluice.recipe import BetterRule, LimitRule, NotWorseRule, Recipe, SourceSection
from sluice.training.templates import SHIPPED

Loc = tuple[int | str, ...]
RULES: dict[str, type[BaseModel]] = {
    name: model
    for model in (BetterRule, NotWorseRule, LimitRule)
    for name in get_args(model.model_fields["rule"].annotation)
}


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key written twice instead of silently taking the last."""


_yaml: Any = yaml  # typed in part only


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(
                problem="a key must be a plain word", problem_mark=key.start_mark
            )
        if key.value in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key `{key.value}` is written twice", problem_mark=key.start_mark
            )
        seen.add(key.value)
    loader.flatten_mapping(node)
    untyped: Any = loader
    # A key is a word as it is written: YAML 1.1 would make true and false of `on` and `off`.
    return {k.value: untyped.construct_object(value, deep=True) for k, value in node.value}


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; relative paths in it are taken from its own folder.

    Raises:
        RecipeError: the file cannot be read, or one or more values are wrong; the message has
            one line for each, as `file:line: key: what is wrong`.
    """
    text = _read(path)
    try:
        values: Any = yaml.load(text, _Loader)
        tree: Any = _yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RecipeError(f"{path}:{line}: {error.problem}") from error
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise RecipeError(f"{path}:1: this is not YAML: {said}") from error
    except RecursionError as error:
        raise RecipeError(f"{path}:1: this is nested too deeply to be a recipe.") from error
    if not isinstance(values, dict):
        raise RecipeError(f"{path}:1: a recipe is a YAML mapping with `model:` and `data:`.")
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        lines = [_line(path, tree, dict(problem)) for problem in error.errors()]
        raise RecipeError("\n".join(lines)) from error
    return _with_absolute_paths(recipe, path.absolute().parent)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.y*ml")], 1)
        hint = f" Did you mean {path.parent / near[0]}?" if near else ""
        raise RecipeError(f"{path}: there is no such recipe.{hint}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as UTF-8 text: {error}") from error


def _line(path: Path, tree: yaml.Node | None, problem: dict[str, Any]) -> str:
    loc: Loc = problem["loc"]
    where = ".".join(str(part) for part in loc) or "recipe"
    return f"{path}:{_line_number(tree, loc)}: {where}: {_sentence(problem, loc)}"


def _sentence(problem: dict[str, Any], loc: Loc) -> str:
    if problem["type"] == "extra_forbidden":
        return _unknown_key(loc)
    if problem["type"] == "missing":
        return "is required and not there"
    if problem["type"] == "model_type" and problem["input"] is None:
        return "is empty: write its keys below it, indented, or leave it out"
    if problem["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_rule(problem["input"])
    message = str(problem["msg"]).removeprefix("Value error, ")
    given = problem.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    return message[:1].lower() + message[1:] + shown


def _unknown_key(loc: Loc) -> str:
    known = _known_keys(Recipe, loc[:-1])
    near = difflib.get_close_matches(str(loc[-1]), known, 1, cutoff=0.5)
    elsewhere = [f"`{name}:`" for name in _sections_with(str(loc[-1])) if name != loc[0]]
    if elsewhere:
        return f"is not a key here; it belongs under {' or '.join(elsewhere)}."
    if near:
        return f"is not a key of the recipe. Did you mean `{near[0]}`?"
    return f"is not a key of the recipe. Known here: {', '.join(known) or 'none'}."


def _unknown_rule(given: Any) -> str:
    values = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    rule = str(values.get("rule", ""))
    near = difflib.get_close_matches(rule, RULES, 1, cutoff=0.5)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    named = f"`rule: {rule}` is not known" if rule else "a rule begins with `rule:`"
    return f"{named}; there are {', '.join(RULES)}.{hint}"


def _known_keys(model: type[BaseModel], loc: Loc) -> list[str]:
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is None:
            return _rule_keys(loc)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
        else:
            return _rule_keys(loc)
    return list(model.model_fields)


def _rule_keys(loc: Loc) -> list[str]:
    model = next((RULES[str(part)] for part in loc if str(part) in RULES), None)
    return list(model.model_fields) if model else []


def _sections_with(key: str) -> list[str]:
    return [
        name
        for name, field in Recipe.model_fields.items()
        if isinstance(field.annotation, type)
        and issubclass(field.annotation, BaseModel)
        and key in field.annotation.model_fields
    ]


def _line_number(tree: yaml.Node | None, loc: Loc) -> int:
    node, line = tree, 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next((p for p in node.value if p[0].value == str(part)), None)
            if pair is None:
                continue  # the name of a rule is a part of the place, but not a key in the file
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _with_absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    data = recipe.data
    update: dict[str, Any] = {
        name: (folder / value.expanduser()).resolve()
        for name in ("landing", "evaluation")
        if (value := getattr(data, name)) is not None
    }
    update["guards"] = tuple((folder / path.expanduser()).resolve() for path in data.guards)
    update["sources"] = tuple(_absolute_source(source, folder) for source in data.sources)
    base = folder / recipe.model.base
    model = recipe.model
    if recipe.model.base.startswith((".", "/")) and base.exists():
        model = model.model_copy(update={"base": str(base.resolve())})
    if model.chat_template is not None and model.chat_template not in SHIPPED:
        template = (folder / Path(model.chat_template).expanduser()).resolve()
        model = model.model_copy(update={"chat_template": str(template)})
    return recipe.model_copy(update={"data": data.model_copy(update=update), "model": model})


def _absolute_source(source: SourceSection, folder: Path) -> SourceSection:
    # What `uri` or `dataset` holds may also be an address, or the id of a data set on a hub.
    if source.uri is not None and "://" not in source.uri and "::" not in source.uri:
        uri = (folder / Path(source.uri).expanduser()).absolute()
        return source.model_copy(update={"uri": str(uri)})
    found = folder / Path(source.dataset or "").expanduser()
    if source.dataset is not None and found.is_dir():
        return source.model_copy(update={"dataset": str(found.resolve())})
    return source
