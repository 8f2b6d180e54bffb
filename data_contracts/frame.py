"""Records as a flat frame: one line per row, one column per thing that a contract can speak of.

The suites check measures of a text (how many visible characters, how many tokens) instead of the
text, because Data Docs quote the cells that fail and a customer's words do not belong there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from sluice.data.cleaning.characters import control_characters, visible_characters
from sluice.data.cleaning.html import has_html
from sluice.data.record import Record

# Where a failing row came from. `row` is its position: ids may repeat before cleaning.
PLACE_COLUMNS = ("row", "row_id", "source", "line")
TEXT_COLUMNS = ("question", "answer")

Columns = Mapping[str, Sequence[Any]]


def records_frame(records: Sequence[Record], extra: Columns | None = None) -> pd.DataFrame:
    """The columns below for each record, and `extra` ones with one value per record.

    `row_id source line roles n_turns question answer`, and of the two texts `*_visible_characters`
    (null where the text is null), `control_characters`, `html` (1 or 0) and `characters`.
    """
    columns: dict[str, list[Any]] = {
        "row": list(range(len(records))),
        "row_id": [r.id for r in records],
        "source": [r.source for r in records],
        "line": [r.line for r in records],
        "roles": [">".join(str(m.role) for m in r.messages) for r in records],
        "n_turns": [len(r.messages) for r in records],
        "question": [r.question if r.messages else None for r in records],
        "answer": [r.answer if r.messages else None for r in records],
        "characters": [sum(len(str(m.content)) for m in r.messages) for r in records],
    }
    for name in TEXT_COLUMNS:
        texts = columns[name]
        columns[f"{name}_visible_characters"] = _measure(visible_characters, texts)
        columns[f"{name}_control_characters"] = _measure(control_characters, texts)
        columns[f"{name}_html"] = _measure(lambda text: int(has_html(text)), texts)
    # `object` keeps each value as it is: pandas' own types would turn a stray 3 into "3" or 3.0.
    given = {name: list(values) for name, values in (extra or {}).items()}
    return pd.DataFrame({**columns, **given}, dtype=object)


def _measure(measure: Callable[[str], int], texts: Sequence[Any]) -> list[int | None]:
    return [measure(text) if isinstance(text, str) else None for text in texts]
