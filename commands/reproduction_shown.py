"""How the outcome of a reproduction is printed."""

from __future__ import annotations

import re
from typing import Any

from rich.table import Table

from commands.console import console
from sluice.training.reproduction import Off, Reproduction

DIGEST = re.compile("[0-9a-f]{64}")


def print_reproduction(found: Reproduction) -> None:
    """The outcome for a person: how far off, and what is other than it was then."""
    colour = "green" if found.reproduced else "red"
    console.print(f"[bold {colour}]version {found.version}: {sentence_of(found)}[/]")
    if found.off is None:
        return
    if found.first_other:
        console.print(f"The data differs from the stage `{found.first_other}` on.")
    console.print(_differences(found.off))
    told = "What is other than it was then:" if found.changed else "No recorded fact is other now."
    console.print(told)
    for one in found.changed:  # names may be long paths: no table holds them
        line = f"  {one.name}: {_short(one.then)} → {_short(one.now)}"
        console.print(line, markup=False, soft_wrap=True)


def sentence_of(found: Reproduction) -> str:
    """What came of it, in a few words."""
    if found.off is None:
        return f"equal, byte for byte ({found.model[:12]})"
    made = f"{found.made[:12]} instead of {found.model[:12]}"
    if found.reproduced:
        return f"equal to within {found.tolerance:g} ({made})"
    return f"not the same model ({made})"


def _short(value: Any) -> str:
    """A fact in a line: the beginning of a digest does."""
    text = str(value)
    return text[:12] if DIGEST.fullmatch(text) else text


def _differences(off: Off) -> Table:
    table = Table("largest absolute difference", "", box=None)
    table.add_row("of a trained weight", f"{off.weights:.3g}")
    table.add_row("of a logit on the fixed prompts", f"{off.logits:.3g}")
    if off.validation_loss is not None:
        table.add_row("of the last validation loss", f"{off.validation_loss:.3g}")
    return table
