"""docs/reference/recipe.md: every section, key, type, default and description of the recipe."""

from __future__ import annotations

from typing import get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pages.markdown import NOTE, WIDTH, paragraphs, sentence, table
from pages.types import default_of, models_in, type_of
from sluice.recipe import (
    AugmentationSection,
    BetterRule,
    ExpectationSection,
    GateSection,
    LauncherSection,
    LimitRule,
    MappingSection,
    NotWorseRule,
    Recipe,
    ReplaySection,
    SourceSection,
    WindowSection,
)
from sluice.recipe.cleaning import REPAIR_NAMES, RULE_NAMES
from sluice.recipe.expectations import BATCH_COLUMNS, LATER_COLUMNS, ROW_COLUMNS, TYPES

GATE_RULES = (BetterRule, NotWorseRule, LimitRule)
METHODS: tuple[type[BaseModel], ...] = tuple(
    models_in(AugmentationSection.model_fields["methods"].annotation)
)
# Sections within sections: what each is called, and where its keys are listed.
NESTED: dict[type[BaseModel], tuple[str, str]] = {
    SourceSection: ("sources", "data.sources"),
    MappingSection: ("a mapping", "data.mapping"),
    WindowSection: ("a window", "data.window"),
    ExpectationSection: ("expectations", "contract.expectations"),
    ReplaySection: ("replay", "training.replay"),
    LauncherSection: ("a launcher", "training.launcher"),
    **dict.fromkeys(METHODS, ("methods", "augmentation.methods")),
    **dict.fromkeys(GATE_RULES, ("rules", "gate.rules")),
}
NAMES = {model: f"[{name}](#{place.replace('.', '')})" for model, (name, place) in NESTED.items()}


def recipe_page() -> str:
    """The whole page."""
    names = ", ".join(f"[`{name}`](#{name})" for name in Recipe.model_fields)
    parts = [
        NOTE,
        "# Recipe reference\n",
        "One YAML file describes one model: what it is trained on, how it is judged and how it is "
        "served. A key that is not listed here is an error that names the nearest one that is, and "
        "`sluice check RECIPE` says where. Relative paths are taken from the recipe's own folder. "
        "Only `model` and `data` are required.\n",
        f"Sections: {names}.\n",
    ]
    parts += [_section(name, field) for name, field in Recipe.model_fields.items()]
    return "\n".join(parts)


def _section(name: str, field: FieldInfo) -> str:
    model = field.annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"the recipe's section {name} is not a model")
    parts = [f"## {name}\n", f"{paragraphs(model.__doc__)}\n", _keys(model), *_below(model)]
    return "\n".join(parts)


def _keys(model: type[BaseModel], *, but: str = "") -> str:
    fields = {key: found for key, found in model.model_fields.items() if key != but}
    columns = ["key", "type", "default", "meaning"]
    rows = [
        [f"`{key}`", type_of(found, NAMES), default_of(found), sentence(found.description)]
        for key, found in fields.items()
    ]
    if not any(row[-1] for row in rows):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    return table(columns, rows)


def _below(model: type[BaseModel]) -> list[str]:
    """What stands below the keys of a section: the sections within it, and long lists."""
    found = dict.fromkeys(
        nested for field in model.model_fields.values() for nested in models_in(field.annotation)
    )
    if GATE_RULES[0] in found:
        return [_gate_rules()]
    if METHODS[0] in found:
        return [_methods()]
    if "off" in model.model_fields:
        return [_names_of_cleaning()]
    return [_nested(one) for one in found]


def _nested(model: type[BaseModel]) -> str:
    _, place = NESTED[model]
    parts = [f"### {place}\n", f"{paragraphs(model.__doc__)}\n", _keys(model)]
    return "\n".join([*parts, *([_expectations()] if model is ExpectationSection else [])])


def _names_of_cleaning() -> str:
    repairs, rules = (", ".join(f"`{n}`" for n in names) for names in (REPAIR_NAMES, RULE_NAMES))
    return (
        f"### Names for cleaning.off\n\nRepairs, in their order: {repairs}.\n\n"
        f"Rules, in their order: {rules}; what each looks at is in "
        "[reasons.md](reasons.md#cleaned), and so are the repairs. Those that an installed package "
        "adds are switched off by their name too.\n"
    )


def _methods() -> str:
    parts = ["### augmentation.methods\n", "Each is a mapping with the key `method`.\n"]
    for model in METHODS:
        field = model.model_fields["method"]
        (word,) = get_args(field.annotation)
        parts += [f"**`{word}`**: {sentence(field.description)}\n", _keys(model, but="method")]
    return "\n".join(parts)


def _gate_rules() -> str:
    parts = ["### gate.rules\n", "Each rule is a mapping with the key `rule`.\n"]
    for model in GATE_RULES:
        words = " or ".join(f"`{word}`" for word in get_args(model.model_fields["rule"].annotation))
        parts += [f"**{words}**: {sentence(model.__doc__)}\n", _keys(model, but="rule")]
    rules = [rule.model_dump() for rule in GateSection().rules]
    default = yaml.safe_dump({"gate": {"rules": rules}}, sort_keys=False, width=WIDTH)
    return "\n".join([*parts, f"The default:\n\n```yaml\n{default}```\n"])


def _expectations() -> str:
    types = [(f"`{name}`", _arguments(words)) for name, words in TYPES.items()]
    columns = [
        (f"`{name}`", meaning, scope)
        for scope, group in (
            ("row", ROW_COLUMNS),
            ("row, after the split", LATER_COLUMNS),
            ("batch", BATCH_COLUMNS),
        )
        for name, meaning in group.items()
    ]
    return "\n".join(
        [
            "Types, with the arguments that are written beside them, in bold if they must be:\n",
            table(("type", "arguments"), types),
            "Columns. `tag_NAME` is the value of that tag in a row; a `?` stands for a name.\n",
            table(("column", "meaning", "of each"), columns),
        ]
    )


def _arguments(words: str) -> str:
    """The arguments of a type; those that may be left out end in a question mark."""
    return ", ".join(
        f"`{word.rstrip('?')}`" if word.endswith("?") else f"**`{word}`**" for word in words.split()
    )
