"""`sluice down`: stop the local stack."""

from __future__ import annotations


def down() -> None:
    """Stop every server that `sluice up` started. What waits for approval goes on waiting."""
    from commands.console import console
    from sluice.home import Home
    from sluice.stack.local import changing, stop_stack

    home = Home.current()
    with changing(home):
        stopped = stop_stack(home)
    console.print(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")
