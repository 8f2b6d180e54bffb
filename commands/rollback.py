"""`sluice rollback`: let the previous champion answer again."""

from __future__ import annotations


def rollback() -> None:
    """Go back to the previous version, at once. Going back twice is going forward."""
    import time

    from commands.console import console
    from flows.deciding import open_desk
    from sluice.home import Home
    from sluice.home_recipe import home_recipe
    from sluice.serving.promotion import rollback as roll_back
    from sluice.stack.local import point_at_stack

    home = Home.current()
    recipe, _ = home_recipe(home)
    point_at_stack(home)
    with open_desk(home, recipe) as desk:
        started = time.monotonic()
        switched = roll_back(desk)
        seconds = time.monotonic() - started
    console.print(
        f"[green]✓[/] version {switched.version} answers again, after {seconds:.2f} s "
        f"(it was version {switched.previous})"
    )
