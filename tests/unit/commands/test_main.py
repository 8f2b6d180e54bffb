from __future__ import annotations

from collections.abc import Callable

import pytest

from commands import main as command_line
from sluice.errors import ApprovalError, RecipeError

COMMANDS = [
    *("check", "prepare", "run", "up", "down", "deploy", "status", "approve", "reject"),
    *("rollback", "serve", "chat", "report", "export", "reproduce", "batches", "withdraw"),
    *("restore", "demo", "contract", "quarantine"),
]


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Make every command raise an error."""

    def set_error(error: BaseException) -> None:
        def app(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(command_line, "app", app)

    return set_error


def test_help_lists_every_command(sluice: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = sluice("--help")
    assert code == 0
    listed = [
        line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.strip()
    ]
    assert listed[: len(COMMANDS)] == COMMANDS
    assert "130 interrupted" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_of_its_own(
    sluice: Callable[..., tuple[int, str, str]], command: str
) -> None:
    code, out, _ = sluice(command, "--help")
    assert code == 0
    assert f"sluice {command}" in out


@pytest.mark.parametrize("arguments", [["chek"], ["check"], ["check", "--nope"], ["run", "a", "b"]])
def test_wrong_use_is_exit_code_2_and_no_traceback(
    sluice: Callable[..., tuple[int, str, str]], arguments: list[str]
) -> None:
    code, out, err = sluice(*arguments)
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert err.startswith("error: ")


@pytest.mark.parametrize(
    ("error", "code"), [(RecipeError("No. Do this."), 2), (ApprovalError("No. Do this."), 1)]
)
def test_an_error_is_one_paragraph_and_its_own_exit_code(
    sluice: Callable[..., tuple[int, str, str]],
    broken: Callable[[BaseException], None],
    error: Exception,
    code: int,
) -> None:
    broken(error)
    assert sluice("status") == (code, "", "error: No. Do this.\n")


def test_debug_shows_the_traceback_too(
    sluice: Callable[..., tuple[int, str, str]], broken: Callable[[BaseException], None]
) -> None:
    broken(ApprovalError("No. Do this."))
    code, _, err = sluice("status", "--debug")
    assert code == 1
    assert err.startswith("Traceback")
    assert err.endswith("error: No. Do this.\n")


def test_a_fault_of_our_own_says_so(
    sluice: Callable[..., tuple[int, str, str]], broken: Callable[[BaseException], None]
) -> None:
    broken(ZeroDivisionError("by zero"))
    code, _, err = sluice("status")
    assert code == 1
    assert err.startswith("error: ZeroDivisionError: by zero\nThis is a fault in Sluice")
    assert "Traceback" not in err


def test_an_interrupt_is_130(
    sluice: Callable[..., tuple[int, str, str]], broken: Callable[[BaseException], None]
) -> None:
    broken(KeyboardInterrupt())
    code, _, err = sluice("run", "recipe.yaml")
    assert code == 130
    assert err == "Interrupted. Finished steps are kept; the same command continues.\n"


def test_the_version_is_printed(sluice: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = sluice("--version")
    assert code == 0
    assert out.startswith("sluice ")
