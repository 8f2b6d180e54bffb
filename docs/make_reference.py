"""Write docs/reference/ from the code, so that it cannot say anything else than the code does.

python docs/make_reference.py            write the pages
python docs/make_reference.py --check    exit 1 if a page differs from what would be written
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ["COLUMNS"] = "96"  # whoever formats help by the terminal's width shall find this one

from pages.commands import commands_page
from pages.methods import methods_page
from pages.reasons import reasons_page
from pages.recipe import recipe_page

from sluice.quiet import turn_telemetry_off

FOLDER = Path(__file__).parent / "reference"


def main() -> int:
    """Write or check the pages; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check: bool = parser.parse_args().check
    turn_telemetry_off()
    pages = {
        "recipe.md": recipe_page(),
        "methods.md": methods_page(),
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


if __name__ == "__main__":
    sys.exit(main())
