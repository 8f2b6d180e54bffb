"""The page of all batches that one run checked against the contract of raw records."""

from __future__ import annotations

import html
import os
import tempfile
from pathlib import Path
from typing import Any

from data_contracts.offline_docs import STYLE
from sluice.lake import read_json

INDEX = "index.html"


def write_index(folder: Path) -> None:
    """Write `index.html` over the batches in sub-folders; of a single batch it is the page itself.

    It is drawn anew from what is there, so it does not matter which batch is checked last.
    """
    pages = sorted(page.parent for page in folder.glob(f"*/{INDEX}"))
    if len(pages) == 1:
        text = (pages[0] / INDEX).read_text(encoding="utf-8")
    else:
        text = _page(folder.name, [_line(page) for page in pages])
    # Batches may be checked at the same time: each writes aside, and a reader sees a whole page.
    handle, aside = tempfile.mkstemp(dir=folder, prefix=f".{INDEX}.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    Path(aside).replace(folder / INDEX)


def _line(page: Path) -> str:
    found: dict[str, Any] = read_json(page / "contract.json")
    link = f'<a href="{html.escape(page.name)}/{INDEX}">{html.escape(page.name)}</a>'
    word = "passed" if found["success"] else "failed"
    cells = (link, word, *(found[name] for name in ("rows", "quarantined", "warnings")))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _page(name: str, lines: list[str]) -> str:
    head = "".join(f"<th>{n}</th>" for n in ("batch", "", "rows", "quarantined", "warnings"))
    return (
        f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{html.escape(name)}</title>'
        f"{STYLE}</head><body><h1>{html.escape(name)}</h1>"
        f"<table><tr>{head}</tr>{''.join(lines)}</table></body></html>\n"
    )
