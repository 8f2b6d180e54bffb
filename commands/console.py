"""The one console that people read."""

from __future__ import annotations

from rich.console import Console

console = Console(highlight=False)
console_of_errors = Console(highlight=False, stderr=True)  # stdout may be JSON
