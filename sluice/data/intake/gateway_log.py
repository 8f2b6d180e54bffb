"""The gateway's own log: which of the answered requests users rated, as rows to train on.

One file a day, `YYYY-MM-DD.jsonl`, with two kinds of lines:

    {"kind": "request", "id", "at", "model", "version", "messages", "answer", "finish_reason"}
    {"kind": "feedback", "id", "at", "rating": "good" | "bad", "correction": text or null}

Feedback may come days after its request; the last one about a request holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

REQUESTS_FOLDER = "requests"  # in `serving/` of SLUICE_HOME


@dataclass(frozen=True, slots=True)
class Rating:
    """What a user said of an answer."""

    good: bool
    correction: str | None


Ratings = dict[str, Rating]


def day_files(folder: Path) -> list[Path]:
    """The log's files, the oldest first."""
    return sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].jsonl"))


def read_ratings(folder: Path) -> Ratings:
    """What holds about each request that was rated, by its id."""
    found: Ratings = {}
    for path in day_files(folder):
        with path.open("rb") as file:
            for entry in _entries(file):
                if entry is not None and entry.get("kind") == "feedback":
                    correction = entry.get("correction")
                    found[str(entry["id"])] = Rating(entry.get("rating") == "good", correction)
    return found


def write_rated_rows(day: Path, ratings: Ratings, target: Path) -> dict[str, int]:
    """Write a day's rated requests as rows of the form `messages`; returns how many of each kind.

    A row stands on the line that its request has in the log; all other lines are blank. Counted
    are requests that are `good`, `corrected`, `bad` or `unrated`, and lines that are `broken`.
    """
    counts = Counter[str]()
    with day.open("rb") as file, target.open("wb") as out:
        for entry in _entries(file):
            kind = _kind(entry, ratings)
            counts.update([kind] if kind else [])
            if entry is not None and kind in ("good", "corrected"):
                out.write(orjson.dumps(_row(entry, ratings[entry["id"]].correction)))
            out.write(b"\n")
    return dict(sorted(counts.items()))


def _entries(file: BinaryIO) -> Iterator[dict[str, Any] | None]:
    """The log's lines; None for one that is broken. A last line without an end is not yet there."""
    for line in file:
        if line.endswith(b"\n"):
            yield _entry(line)


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Any]", entry) if isinstance(entry, dict) and "id" in entry else None


def _kind(entry: dict[str, Any] | None, ratings: Ratings) -> str | None:
    if entry is None:
        return "broken"
    if entry.get("kind") != "request":
        return None
    rating = ratings.get(str(entry["id"]))
    if rating is None:
        return "unrated"
    if rating.correction:
        return "corrected"
    return "good" if rating.good else "bad"


def _row(entry: dict[str, Any], correction: str | None) -> dict[str, Any]:
    answer = correction or entry["answer"]
    return {
        "messages": [*entry["messages"], {"role": "assistant", "content": answer}],
        "received_at": entry["at"],
    }
