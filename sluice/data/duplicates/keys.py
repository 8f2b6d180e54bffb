"""Hashes that are equal for rows that say the same, whatever their case and spacing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.data.duplicates.claims import claims_of
from sluice.data.duplicates.rows import FoldedRows, chained
from sluice.data.similarity.hashed import Hashes

pa: Any = pyarrow  # not typed

NO_QUESTION = 0  # the question key of rows in which nobody asks anything: plain text, empty prompts


def keys_of(table: Any, rows: FoldedRows, start: int) -> Any:
    """The keys of a part's rows, whose first row is number `start` of all.

    `text_key` and `text_check` (64 bits each, together 128: no two texts meet by chance) stand for
    the whole conversation, `question_key` for all before the answer, `answer_key` for the answer.
    `numbers`, `says` and `words` are what the answer claims, for `decide_conflicts`.
    """
    nobody = np.full(len(rows), -1, dtype=np.int64)
    low, high = rows.digests[:, 0], rows.digests[:, 1]
    columns: dict[str, Any] = {
        "row": np.arange(start, start + len(rows), dtype=np.int64),
        "text_key": chained(rows.firsts, low, rows.tools, nobody, nobody),
        "text_check": chained(rows.firsts, high, rows.tools, nobody, nobody),
        "question_key": _question_keys(rows),
        "answer_key": _of_answers(rows, low, np.uint64(0)),
        "answer_bytes": _of_answers(rows, rows.texts.ends - rows.texts.starts, np.int64(0)),
        "source": table.column("source"),
        "line": table.column("line"),
    }
    return pa.table({**columns, **claims_of(rows)})


def _question_keys(rows: FoldedRows) -> Hashes:
    nobody = np.full(len(rows), -1, dtype=np.int64)
    keys: Hashes = chained(rows.firsts, rows.digests[:, 0], rows.tools, rows.answers, nobody)
    asked = rows.texts.take(rows.questions)
    keys[asked.ends == asked.starts] = NO_QUESTION
    return keys


def _of_answers(rows: FoldedRows, values: Any, otherwise: Any) -> Any:
    found: Any = np.append(values, otherwise)[rows.answers]  # -1 points to the last one
    return found
