"""The command line: `sluice COMMAND`. Exit codes: 0 done, 1 failed, 2 wrong use or recipe,
3 rejected by the gate, 4 inconclusive, 130 interrupted."""

from __future__ import annotations

import os
import sys
import traceback

import typer

from commands import (
    approve,
    batches,
    chat,
    check,
    contract,
    demo,
    deploy,
    down,
    export,
    prepare,
    quarantine,
    report,
    reproduce,
    rollback,
    run,
    serve,
    status,
    up,
    withdraw,
)
from sluice import __version__
from sluice.errors import SluiceError
from sluice.quiet import turn_telemetry_off

INTERRUPTED = "Interrupted. Finished steps are kept; the same command continues."
INTERRUPTED_CODE = 130

app = typer.Typer(
    help="Retrain a language model on fresh data, prove it better, approve it, serve it.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong use or recipe, 3 rejected by the gate, "
    "4 inconclusive, 130 interrupted. --debug shows tracebacks.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluice {__version__}")
        raise typer.Exit


@app.callback()
def _sluice(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    turn_telemetry_off()
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for _command in (
    check.check,
    prepare.prepare,
    run.run,
    up.up,
    down.down,
    deploy.deploy,
    status.status,
    approve.approve,
    approve.reject,
    rollback.rollback,
    serve.serve,
    chat.chat,
    report.report,
    export.export,
    reproduce.reproduce,
    batches.batches,
    withdraw.withdraw,
    withdraw.restore,
    demo.demo,
):
    app.command()(_command)
app.add_typer(contract.app, name="contract")
app.add_typer(quarantine.app, name="quarantine")


def main() -> None:
    """Run a command; every error becomes one clear paragraph and an exit code."""
    debug = "--debug" in sys.argv or bool(os.environ.get("SLUICE_DEBUG"))
    if debug:
        os.environ["SLUICE_DEBUG"] = "1"
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        code = app(arguments, prog_name="sluice", standalone_mode=False)
        if code == INTERRUPTED_CODE:  # typer makes of ctrl-C an exit without a word
            _say(INTERRUPTED, INTERRUPTED_CODE)
    except typer.TyperException as error:
        code = _say(f"error: {error.format_message()}\n`sluice --help` shows what there is.", 2)
    except (typer.Abort, KeyboardInterrupt):
        code = _say(INTERRUPTED, INTERRUPTED_CODE)
    except BrokenPipeError:
        code = 1  # whoever read our output has gone
    except Exception as error:
        if debug:
            traceback.print_exc()
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    """Say in one paragraph what went wrong and what to do; returns the exit code."""
    if isinstance(error, SluiceError):
        return _say(f"error: {error}", error.exit_code)
    if isinstance(error, OSError):  # a full disk, a missing permission: theirs to mend
        where = f" ({error.filename})" if error.filename else ""
        return _say(f"error: {error.strerror or error}{where}. Mend that and run it again.", 1)
    return _say(
        f"error: {type(error).__name__}: {error}\nThis is a fault in Sluice, not in your "
        "input. Run it again with --debug to see where.",
        1,
    )


def _say(message: str, code: int) -> int:
    typer.echo(message, err=True)
    return code


if __name__ == "__main__":
    main()
