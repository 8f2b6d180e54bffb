"""Reason codes as the code has them: what rows leave with, found in its source.

Whoever adds a code has to describe it in `pages/meanings.py`; until then the pages are not written.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import sluice.data
from sluice.recipe import CleaningSection

DATA = Path(next(iter(sluice.data.__path__)))
FAULTS = {"Fault", "_BrokenRuleError", "MisfitError"}
FIELD = "<field>"  # stands for the name of a field in codes that are made of one
# A constant of these modules that is several words joined by underscores is a reason code.
COMPARING = (
    *("superseded.py", "contamination.py", "duplicates", "poisoning"),
    *("compared.py", "split.py", "curated.py"),
)
_CODE = re.compile(r"[a-z]+(_[a-z]+)+")


def reject_codes() -> set[str]:
    """Codes of what could not become a row."""
    files = [DATA / "strict_json.py", *_sources("reading"), *_sources("forms")]
    return {code for file in files for code in _first_arguments(file, FAULTS)}


def comparing_codes() -> set[str]:
    """Codes of rows that leave because of other rows."""
    return {
        node.value.value
        for name in COMPARING
        for file in _sources(name)
        for node in _tree(file).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and _CODE.fullmatch(node.value.value)
    }


def missed_codes() -> set[str]:
    """Codes of rows of which an augmentation method made no variant."""
    given = {
        code for file in _sources("augmentation") for code in _first_arguments(file, {"Missed"})
    }
    found = inspect.getsource(_module("augmentation.back_translation")._what_is_wrong)
    returned = {
        node.value.value
        for node in ast.walk(ast.parse(found))
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Constant)
    }
    return given | {str(code) for code in returned - {None}}


def keys_of(rule: Callable[..., Any]) -> list[str]:
    """The keys of `cleaning` that a rule reads, in the order in which the recipe has them."""
    read = {
        node.attr
        for node in ast.walk(ast.parse(inspect.getsource(rule)))
        if isinstance(node, ast.Attribute)
    }
    return [key for key in CleaningSection.model_fields if key in read]


def refuse_difference(what: str, found: set[str], described: Mapping[str, Any]) -> None:
    """Every code is described, and nothing is that there is not.

    Raises:
        ValueError: code and descriptions differ.
    """
    if found != set(described):
        raise ValueError(
            f"{what} in docs/pages/meanings.py and the code differ by "
            f"{sorted(found ^ set(described))}: describe what is new, forget what is gone."
        )


def _sources(name: str) -> list[Path]:
    path = DATA / name
    return sorted(path.glob("*.py")) if path.is_dir() else [path]


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _module(name: str) -> Any:
    return __import__(f"sluice.data.{name}", fromlist=["_"])


def _first_arguments(file: Path, functions: set[str]) -> Iterator[str]:
    for node in ast.walk(_tree(file)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        code = node.args[0]
        if node.func.id not in functions:
            continue
        if isinstance(code, ast.Constant):
            yield str(code.value)
        elif isinstance(code, ast.JoinedStr):  # f"missing_{name}"
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else FIELD for part in code.values
            )
