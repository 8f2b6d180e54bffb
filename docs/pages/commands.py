"""docs/reference/commands.md: the help of every command, and the exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import typer

from commands.main import app
from commands.run import EXIT_CODES
from pages.markdown import NOTE, WIDTH, sentence, table
from sluice.errors import RecipeError, SluiceError
from sluice.run_record import Outcome

INTERRUPTED = 130  # the shell's own code for ctrl-C


def commands_page() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    found = list(_commands(root, _context(root, "sluice", None)))
    rows = [
        (f"[`{path}`](#{path.replace(' ', '-')})", sentence(command.help.split("\n\n")[0]))
        for path, command, _ in found
    ]
    parts = [
        NOTE,
        "# Command reference\n",
        table(("command", "what it does"), rows),
        "Every command works on one home, the folder that `SLUICE_HOME` names (default `.sluice/` "
        "in the current folder), except `prepare`, which leaves the home alone. `--debug`, "
        "anywhere on the line, or `SLUICE_DEBUG=1` shows the traceback of an error. Errors go to "
        "standard error as one paragraph.\n",
        *(
            f"## {path}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
            for path, command, context in found
        ),
        _exit_codes(),
    ]
    return "\n".join(parts)


def _commands(group: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    """The commands of a group and of the groups within it: path, command, context."""
    for name, command in group.commands.items():
        own = _context(command, name, context)
        if hasattr(command, "commands"):
            yield from _commands(command, own)
        else:
            yield own.command_path, command, own


def _context(command: Any, name: str, parent: Any) -> Any:
    settings: dict[str, Any] = dict(command.context_settings)
    if parent is not None:
        settings["help_option_names"] = parent.help_option_names
    return command.context_class(
        command, info_name=name, parent=parent, terminal_width=WIDTH, **settings
    )


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
    return (
        f"## Exit codes\n\n{table(('code', 'meaning', 'outcomes of `sluice run`'), rows)}\n"
        "`sluice approve` and `sluice reject` return 0 only if the version ended as was decided "
        "(`promoted`, `rejected by approver`).\n"
    )
