"""Measures of a batch as a whole, counted part by part: one row that batch expectations see."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.compute

from data_contracts.rows import Rows

pc: Any = pyarrow.compute

Measures = dict[str, float | int | None]

# The frame of rows always has these, because the batch is judged by them.
ALWAYS = (
    "question_visible_characters",
    "answer_visible_characters",
    "characters",
    "null_messages",
    "open_ending",
    "repeated",
)
IF_KNOWN = ("tokens", "question_in_evaluation")
UNKNOWN = "unknown"
QUANTILES = {"p05": 0.05, "p50": 0.5, "p95": 0.95, "max": 1.0}
# Values of one tag beyond this are not told apart: only the largest share is asked for, and a tag
# that names each contributor would otherwise grow with the rows.
MAX_VALUES = 10_000


class Tally:
    """Counts over the parts of a batch; they do not grow with the rows."""

    def __init__(self) -> None:
        self.rows = 0
        self.sides = Counter[str]()
        self.filled = Counter[str]()
        self._sums = Counter[str]()
        self._languages = Counter[str]()
        self._sources = Counter[str]()
        self._tags: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._lengths: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self.most_visible = {"question": 0, "answer": 0}
        self._newest: str | None = None
        self._known: set[str] = set()

    def add(self, rows: Rows, frame: Any, side: str) -> None:
        """Count one part; `frame` has its columns `ALWAYS`, and those of `IF_KNOWN` it can."""
        self.rows += rows.count
        self.sides[side] += rows.count
        self._known.update(frame.columns)
        for name in frame.columns:
            self.filled[name] += int(frame[name].notna().sum())
        for name in ("repeated", "open_ending", "question_in_evaluation"):
            if name in frame.columns:
                self._sums[name] += int(frame[name].sum())
        for name in ("characters", "tokens"):
            if name in frame.columns:
                lengths, counts = np.unique(frame[name].to_numpy(), return_counts=True)
                self._lengths[name].update(
                    dict(zip(lengths.tolist(), counts.tolist(), strict=True))
                )
        self._add_texts(frame)
        self._add_mixes(rows)

    def _add_texts(self, frame: Any) -> None:
        self._sums["null"] += int((frame["null_messages"] > 0).sum())
        for text in ("question", "answer"):
            seen = frame[f"{text}_visible_characters"].dropna()
            self._sums[f"{text}_blank"] += int((seen == 0).sum())
            most = int(seen.max()) if len(seen) else 0
            self.most_visible[text] = max(most, self.most_visible[text])

    def _add_mixes(self, rows: Rows) -> None:
        _count(self._languages, rows.column("language"))
        _count(self._sources, rows.column("source"))
        tags = rows.column("tags")
        keys, items = tags.keys, tags.items
        for key in pc.unique(keys).to_pylist():
            _count(self._tags[key], items.filter(pc.equal(keys, key)))
        newest = pc.max(rows.column("received_at")).as_py()
        self._newest = max(filter(None, (newest, self._newest)), default=None)

    def measures(self, tags: Sequence[str], read_at: str | None) -> Measures:
        """All measures; of tags those named. `read_at` is when the batch was read, in ISO 8601."""
        share = self._share
        found: Measures = {
            "rows": self.rows,
            "train_rows": self.sides["train"],
            "null_share": share(self._sums["null"]),
            "repeated_share": share(self._sums["repeated"]),
            "open_ending_share": share(self._sums["open_ending"]),
            "evaluation_question_rows": self._if_known("question_in_evaluation"),
            "source_largest_share": share(max(self._sources.values(), default=0)),
            "freshness_hours": _hours_between(self._newest, read_at),
        }
        for text in ("question", "answer"):
            found[f"{text}_blank_share"] = share(self._sums[f"{text}_blank"])
        for name, lengths in self._lengths.items():
            found |= _quantiles(name, lengths)
        for language, count in sorted(self._languages.items()):
            found[f"language_share_{language}"] = share(count)
        for tag in sorted({*tags, *self._tags}):
            found |= self._balance(tag)
        return found

    def _balance(self, tag: str) -> Measures:
        values = self._tags.get(tag, Counter())
        return {
            f"tag_{tag}_missing_share": self._share(self.rows - sum(values.values())),
            f"tag_{tag}_largest_share": self._share(max(values.values(), default=0)),
            f"tag_{tag}_values": len(values),
        }

    def _share(self, count: int) -> float | None:
        return round(count / self.rows, 6) if self.rows else None

    def _if_known(self, name: str) -> int | None:
        return self._sums[name] if name in self._known else None


def drop_measures(facts: Mapping[str, Any]) -> Measures:
    """Shares of rows that earlier steps took out, from `rows_in` and `gone` (reason to rows).

    Duplicates are counted apart: they say that a file was sent twice, not that it is bad.
    """
    rows, gone = facts.get("rows_in"), dict(facts.get("gone") or {})
    if not rows:
        return {}
    twice = sum(count for reason, count in gone.items() if "duplicate" in reason)
    return {
        "drop_share": round((sum(gone.values()) - twice) / rows, 6),
        "duplicate_share": round(twice / rows, 6),
        **{f"drop_share_{reason}": round(n / rows, 6) for reason, n in sorted(gone.items())},
    }


def batch_frame(measures: Measures, names: Sequence[str]) -> pd.DataFrame:
    """One row with the named measures.

    A language or a reason that did not occur has a share of 0. Other measures that are not there
    are null, and a contract that names one fails.
    """
    return pd.DataFrame(
        {name: [measures.get(name, _if_absent(name))] for name in names}, dtype="float64"
    )


def _if_absent(name: str) -> float | None:
    return 0.0 if name.startswith(("language_share_", "drop_share_")) else None


def _count(counter: Counter[str], values: Any) -> None:
    for entry in pc.value_counts(values).to_pylist():
        value = UNKNOWN if entry["values"] is None else entry["values"]
        if value in counter or len(counter) < MAX_VALUES:
            counter[value] += entry["counts"]


def _quantiles(name: str, counts: Counter[int]) -> Measures:
    """Lengths that occur, such that the share of rows is no longer."""
    lengths = np.array(sorted(counts), dtype=np.int64)
    if not len(lengths):
        return {}
    reached = np.cumsum([counts[length] for length in lengths.tolist()])
    places = np.searchsorted(reached, np.ceil(np.array(list(QUANTILES.values())) * reached[-1]))
    return {
        f"{name}_{q}": int(length) for q, length in zip(QUANTILES, lengths[places], strict=True)
    }


def _hours_between(newest: str | None, read_at: str | None) -> float | None:
    if newest is None:
        return None
    try:
        then = datetime.fromisoformat(newest)
        now = datetime.fromisoformat(read_at) if read_at else datetime.now(UTC)
        return round((now - then).total_seconds() / 3600, 3)
    except (ValueError, TypeError):
        return None
