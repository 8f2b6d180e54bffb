"""The frame that expectations about rows see: one line per row, only the columns they name.

All columns are numbers or short codes, except the three texts, which are there only if a recipe's
expectation names one. So a frame of 200,000 rows is a few dozen megabytes, however long they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.rows import (
    Rows,
    characters_of,
    control_characters_of,
    html_of,
    open_ending_of,
    visible_characters_of,
)
from sluice.data.record import Record, records_of
from sluice.data.similarity import folded

TEXTS = ("question", "answer")
NEVER_NULL = frozenset(
    {
        "n_turns",
        "characters",
        "null_messages",
        "open_ending",
        "repeated",
        "split",
        "tokens",
        "question_in_evaluation",
    }
)
_OF_TEXTS: dict[str, Callable[[Any], Any]] = {
    "characters": characters_of,
    "visible_characters": visible_characters_of,
    "control_characters": control_characters_of,
    "html": html_of,
}


@dataclass(frozen=True, slots=True)
class Outside:
    """What a measure needs beside the rows themselves.

    `judged` are the folded evaluation questions; `count_tokens` counts those of each row. Without
    them the columns that need them cannot be had.
    """

    judged: frozenset[str] | None = None
    count_tokens: Callable[[list[Record]], list[int]] | None = None


def row_frame(
    rows: Rows, names: Sequence[str], *, side: str, repeated: Any, outside: Outside
) -> pd.DataFrame:
    """The named columns of one part of the rows; names that no row has are left out.

    `side` is the split that the rows are in, `repeated` says which of them an earlier row equals.
    An expectation about a column that is left out cannot be evaluated, so it fails.
    """
    makers: dict[str, Callable[[], Any]] = {
        **_as_they_are(rows),
        **{name: partial(_measured, rows, name) for name in _measures()},
        "open_ending": lambda: open_ending_of(rows.answer),
        "repeated": lambda: repeated.astype(np.int64),
        "split": lambda: np.full(rows.count, side, dtype=object),
    }
    if (count := outside.count_tokens) is not None:
        makers["tokens"] = lambda: np.array(count(records_of(rows.table)), np.int64)
    if (judged := outside.judged) is not None:
        makers["question_in_evaluation"] = lambda: _asked(rows, side, judged)
    columns = {name: makers[name]() for name in names if name in makers}
    tags = {name: _text(rows.tag(name.removeprefix("tag_"))) for name in names if _is_tag(name)}
    return pd.DataFrame({**columns, **tags}, index=pd.RangeIndex(rows.count))


def _as_they_are(rows: Rows) -> dict[str, Callable[[], Any]]:
    return {
        "row_id": lambda: _text(rows.column("id")),
        **{
            name: partial(lambda name: _text(rows.column(name)), name)
            for name in ("source", "language", "received_at")
        },
        "line": lambda: rows.column("line").to_pandas(),
        "roles": lambda: _text(rows.joined_roles),
        "n_turns": lambda: rows.turns,
        "characters": lambda: rows.characters,
        "null_messages": lambda: rows.null_messages,
        **{
            name: partial(lambda name: _text(getattr(rows, name)), name)
            for name in (*TEXTS, "system")
        },
    }


def _measures() -> list[str]:
    return [f"{text}_{measure}" for text in TEXTS for measure in _OF_TEXTS]


def _measured(rows: Rows, name: str) -> Any:
    text, _, measure = name.partition("_")
    return _OF_TEXTS[measure](getattr(rows, text))


def _text(values: Any) -> pd.Series:
    return values.to_pandas()


def _asked(rows: Rows, side: str, judged: frozenset[str]) -> Any:
    if side == "evaluation" or not judged:
        return np.zeros(rows.count, dtype=np.int64)
    asked = [text is not None and folded(text) in judged for text in rows.question.to_pylist()]
    return np.array(asked, dtype=np.int64)


def _is_tag(name: str) -> bool:
    return name.startswith("tag_")
