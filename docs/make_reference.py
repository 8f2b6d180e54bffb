"""Write docs/reference/ from the code, so that it cannot say anything else than the code does.

python docs/make_reference.py            write the pages
python docs/make_reference.py --check    exit 1 if a page differs from what would be written
"""

from __future__ import annotations

import argparse
import ast
import os
import sys
import types
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

os.environ["COLUMNS"] = "96"  # whoever formats help by the terminal's width shall find this one

import typer
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from commands.main import app
from commands.run import EXIT_CODES
from sluice.data import reading, strict_json
from sluice.data.cleaning.duplicates import DUPLICATE
from sluice.data.cleaning.rules import RULES
from sluice.data.split import MIN_ANSWER_TOKENS, NEAR_ANSWER, NEAR_QUESTION
from sluice.errors import RecipeError, SluiceError
from sluice.quiet import turn_telemetry_off
from sluice.recipe import BetterRule, GateSection, LimitRule, NotWorseRule, Recipe
from sluice.run_record import Outcome

FOLDER = Path(__file__).parent / "reference"
WIDTH = 96
NOTE = "<!-- Written by docs/make_reference.py (`make docs`). Change the code, not this page. -->\n"
INTERRUPTED = 130  # the shell's own code for ctrl-C

REJECTS = {
    "bad_utf8": "The line is not UTF-8.",
    "byte_order_mark": "A byte order mark in the middle of a file; only its start may carry one.",
    "duplicate_key": "A key is written twice: parsers disagree about which value counts.",
    "line_too_long": "The line is longer than 1 MiB.",
    "lone_surrogate": "Half of a surrogate pair, which is no character.",
    "missing_instruction": "There is no `instruction`, or it is null.",
    "missing_output": "There is no `output`, or it is null.",
    "not_an_object": "Valid JSON, but a list, text, number or null instead of an object.",
    "not_finite": "NaN, Infinity, or a number beyond the range of a double.",
    "not_json": "Not JSON; a line that was cut off is the usual case.",
    "nul_character": "A NUL character, raw or escaped.",
    "too_deep": "Nested more than 32 levels deep.",
    "wrong_type": "`instruction`, `input`, `output` or `intent` is not text.",
}


def main() -> int:
    """Write or check the pages; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check: bool = parser.parse_args().check
    turn_telemetry_off()
    pages = {
        "recipe.md": recipe_page(),
        "commands.md": commands_page(),
        "reasons.md": reasons_page(),
    }
    return _compare(pages) if check else _write(pages)


def _write(pages: dict[str, str]) -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def _compare(pages: dict[str, str]) -> int:
    stale = [name for name, text in pages.items() if _read(FOLDER / name) != text]
    if stale:
        sys.stderr.write(
            f"docs/reference: {len(stale)} of {len(pages)} pages differ from the code "
            f"({', '.join(stale)}). Run `make docs` and commit them.\n"
        )
    return 1 if stale else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", r"\|") for cell in r) + " |" for r in lines
    )


def _sentence(text: str | None) -> str:
    """A docstring's or description's text on one line."""
    return " ".join((text or "").split())


# The recipe


def recipe_page() -> str:
    """Every section, key, type, default and description of the recipe."""
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
    rows = [
        (f"`{key}`", _type_of(found), _default_of(found), _sentence(found.description))
        for key, found in model.model_fields.items()
    ]
    text = [
        f"## {name}\n",
        f"{_sentence(model.__doc__)}\n",
        f"{_table(('key', 'type', 'default', 'meaning'), rows)}\n",
    ]
    return "\n".join([*text, _gate_rules()] if model is GateSection else text)


def _gate_rules() -> str:
    parts = ["### Rules of the gate\n", "Each rule is a mapping with the key `rule`.\n"]
    for model in (BetterRule, NotWorseRule, LimitRule):
        words = " or ".join(f"`{word}`" for word in get_args(model.model_fields["rule"].annotation))
        rows = [
            (f"`{key}`", _type_of(found), _default_of(found))
            for key, found in model.model_fields.items()
            if key != "rule"
        ]
        parts += [
            f"**{words}**: {_sentence(model.__doc__)}\n",
            f"{_table(('key', 'type', 'default'), rows)}\n",
        ]
    rules = [rule.model_dump() for rule in GateSection().rules]
    default = yaml.safe_dump({"gate": {"rules": rules}}, sort_keys=False, width=WIDTH)
    return "\n".join([*parts, f"The default:\n\n```yaml\n{default}```\n"])


def _default_of(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default is None:
        return "none"
    if isinstance(field.default, tuple):
        return "see below"
    return f"`{_yaml_scalar(field.default)}`"


def _yaml_scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _type_of(field: FieldInfo) -> str:
    limits = [text for mark in field.metadata if (text := _limit(mark))]
    return ", ".join([_plain_type(field.annotation), *limits])


def _plain_type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(_plain_type(a) for a in arguments if a is not type(None))
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in arguments)
    if origin is Annotated:
        return _plain_type(arguments[0])
    if origin is tuple:
        return "list of rules"
    words = {
        str: "text",
        bool: "true or false",
        int: "whole number",
        float: "number",
        Path: "path",
    }
    return words[annotation]


def _limit(mark: Any) -> str | None:
    """A constraint of pydantic's, in words."""
    words = {"gt": "above {}", "ge": "at least {}", "lt": "below {}", "le": "at most {}"}
    for name, word in words.items():
        if hasattr(mark, name):
            return word.format(_yaml_scalar(getattr(mark, name)))
    if hasattr(mark, "min_length"):
        return "not empty"
    if getattr(mark, "pattern", None):
        return f"as `{mark.pattern}`"
    return None


# The commands


def commands_page() -> str:
    """The help of every command, and the exit codes."""
    root: Any = typer.main.get_command(app)
    context = root.context_class(
        root, info_name="sluice", terminal_width=WIDTH, **root.context_settings
    )
    commands: dict[str, Any] = root.commands
    rows = [
        (f"[`sluice {name}`](#sluice-{name})", _sentence(command.help.split("\n\n")[0]))
        for name, command in commands.items()
    ]
    parts = [
        NOTE,
        "# Command reference\n",
        f"{_table(('command', 'what it does'), rows)}\n",
        "Every command works on one home, the folder that `SLUICE_HOME` names (default `.sluice/` "
        "in the current folder). `--debug`, anywhere on the line, or `SLUICE_DEBUG=1` shows the "
        "traceback of an error. Errors go to standard error as one paragraph.\n",
        *(_command(name, command, context) for name, command in commands.items()),
        _exit_codes(),
    ]
    return "\n".join(parts)


def _command(name: str, command: Any, parent: Any) -> str:
    context = command.context_class(
        command,
        info_name=name,
        parent=parent,
        terminal_width=WIDTH,
        help_option_names=parent.help_option_names,
    )
    return f"## sluice {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"


def _exit_codes() -> str:
    wrong = RecipeError.exit_code
    meanings = {
        0: "Done.",
        SluiceError.exit_code: "Failed; the message says what happened, how much of it, and what "
        "to do next.",
        wrong: "Wrong use of the command, or a recipe that cannot be used (file, line, key).",
        EXIT_CODES["rejected by gate"]: "The gate rejected the candidate.",
        EXIT_CODES["inconclusive"]: "The gate could not tell whether the candidate is better.",
        INTERRUPTED: "Interrupted with ctrl-C; finished steps are kept.",
    }
    by_code: dict[int, list[str]] = {}
    for outcome in get_args(Outcome):
        if outcome != "running":
            by_code.setdefault(EXIT_CODES.get(outcome, 0), []).append(outcome)
    rows = [
        (f"`{code}`", meanings.get(code, ""), ", ".join(by_code.get(code, [])))
        for code in sorted({*meanings, *by_code})
    ]
    header = ("code", "meaning", "outcomes of `sluice run`")
    return (
        f"## Exit codes\n\n{_table(header, rows)}\n\n`sluice approve` and `sluice reject` return 0 "
        "only if the version ended as was decided (`promoted`, `rejected by approver`).\n"
    )


# The reasons


def reasons_page() -> str:
    """Why rows leave, by stage: code, meaning, and where the rows can be read."""
    parts = [
        NOTE,
        "# Why a row left\n",
        "Every row that leaves the path leaves with a stable code, is counted in the funnel of the "
        "report, and can be read back. Paths are inside `SLUICE_HOME/lake/`.\n",
        "## Rejected while reading\n",
        "In `raw/<digest>/rejects.jsonl` with file, line, byte offset and detail; of a batch that "
        "was refused as a whole, in `rejected/<digest>/rejects.jsonl`.\n",
        f"{_table(('code', 'meaning'), _rejects())}\n",
        "## Dropped by cleaning\n",
        "In `cleaned/<digest>/dropped.jsonl` with the reason; the rows as they came are in "
        "`dropped.parquet` beside it. The first rule that a row breaks is its reason. Rows of the "
        "held-out file that break a rule are in `curated/<digest>/removed.jsonl`.\n",
        f"{_table(('code', 'meaning'), _drops())}\n",
        "## Removed by the split\n",
        "In `curated/<digest>/removed.jsonl` with the evaluation row that it resembles and the "
        "similarity.\n",
        f"{_table(('code', 'meaning'), _removals())}\n",
        "The funnel also counts rows that do not leave: `chosen_for_evaluation` (by the stable "
        "hash, `data.evaluation_share`) and `validation` (kept for the validation loss, "
        "`data.validation_share`).\n",
        _contracts(),
    ]
    return "\n".join(parts)


def _rejects() -> list[tuple[str, str]]:
    found = _codes_in(reading.__file__) | _codes_in(strict_json.__file__)
    if found != set(REJECTS):
        raise ValueError(
            f"REJECTS in {Path(__file__).name} and the code differ by "
            f"{sorted(found ^ set(REJECTS))}: describe what is new, forget what is gone."
        )
    return [(f"`{code}`", meaning) for code, meaning in sorted(REJECTS.items())]


def _codes_in(file: str) -> set[str]:
    """The reason codes that a module gives: first arguments of `Fault` and `_BrokenRuleError`."""
    calls = [
        node
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("Fault", "_BrokenRuleError")
    ]
    codes: set[str] = set()
    for call in calls:
        code = call.args[0]
        if isinstance(
            code, ast.JoinedStr
        ):  # f"missing_{name}", for the two keys that must be there
            codes |= {"missing_instruction", "missing_output"}
        elif isinstance(code, ast.Constant):
            codes.add(str(code.value))
    return codes


def _drops() -> list[tuple[str, str]]:
    rules = [(f"`{code}`", _sentence(rule.__doc__)) for code, rule in RULES]
    return [
        *rules,
        (
            f"`{DUPLICATE}`",
            "The whole conversation equals an earlier row's, case and spacing aside.",
        ),
    ]


def _removals() -> list[tuple[str, str]]:
    return [
        (
            f"`{NEAR_QUESTION}`",
            "Its question equals or nearly equals (`data.near_duplicate`) an evaluation question.",
        ),
        (
            f"`{NEAR_ANSWER}`",
            "Its answer equals or nearly equals an evaluation answer. Answers of fewer than "
            f"{MIN_ANSWER_TOKENS} tokens are not compared: everyone says them.",
        ),
    ]


def _contracts() -> str:
    # Late: importing Great Expectations takes longer than all the rest.
    from data_contracts.raw_records import raw_records_suite
    from data_contracts.training_examples import training_examples_suite

    recipe = Recipe.model_validate(
        {"model": {"name": "m", "base": "b"}, "data": {"evaluation_share": 0.1}}
    )
    parts = [
        "## Quarantined by a contract\n",
        "The reason is the expectation that failed. A **row** expectation quarantines the rows "
        "that break it (`quarantined.jsonl` and `quarantined.parquet` in `checked/<digest>/` or "
        "`contracted/<digest>/`); more than `contract.max_quarantined_share` of them fail the "
        "batch. A **batch** expectation fails the whole batch before training. A **warning** is "
        "only reported. Limits shown are those of the default recipe. Beside what is listed, every "
        "contract fails a batch that has no rows, a column that is null in every row, or a text "
        "that is blank in every row (`data_contracts/floor.py`).\n",
    ]
    for suite in (raw_records_suite(), training_examples_suite(recipe)):
        rows = [_expectation(expectation) for expectation in suite.expectations]
        parts += [
            f"### data_contracts/{suite.name}.py\n",
            f"{_table(('expectation', 'effect', 'meaning'), rows)}\n",
        ]
    return "\n".join(parts)


def _expectation(expectation: Any) -> tuple[str, str, str]:
    from data_contracts.findings import finding_of

    config: dict[str, Any] = expectation.configuration.to_json_dict()
    found = finding_of({"expectation_config": config, "success": True})
    effect = "row" if config["type"].startswith("expect_column_values_") else "batch"
    return (
        f"`{found.expectation}`",
        effect if found.severity == "critical" else "warning",
        _sentence(found.says),
    )


if __name__ == "__main__":
    sys.exit(main())
