"""Propose a contract from a sample: what it would have passed, with room, and what was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data_contracts.frame import Outside, row_frame
from data_contracts.rows import Rows
from data_contracts.sample import Sample

_ALWAYS_PROPOSED = ("question_characters", "answer_characters", "n_turns")
# Room on either side: what is beyond it was not in the sample, nor nearly.
_SLACK = 1.5
_MOSTLY = 0.98  # lengths have long tails; a few rows beyond are no news
_MAX_VALUES = 30  # a tag with more values names things
_MIN_ROWS_PER_VALUE = 5  # of a tag, on average, in a sample that can tell all of its values


def propose(sample: Sample) -> str:
    """The `contract:` section of a recipe, as YAML with comments."""
    rows = Rows(sample.kept)
    tags = _tags(rows)
    names = [*_ALWAYS_PROPOSED, "answer_visible_characters", "question_visible_characters"]
    frame = row_frame(
        rows,
        [*names, "language", *(f"tag_{tag}" for tag in tags)],
        side="train",
        repeated=np.zeros(rows.count, dtype=bool),
        outside=Outside(),
    )
    expectations = [
        *(line for name in _ALWAYS_PROPOSED for line in _range(frame, name)),
        *(line for tag in tags for line in _values(frame, tag)),
    ]
    body = [*_limits(sample, frame, tags), "  expectations:", *expectations]
    return "\n".join([*_head(sample), "contract:", *body, ""])


def _head(sample: Sample) -> list[str]:
    files = ", ".join(sample.names[:3]) + (" ..." if len(sample.names) > 3 else "")
    gone = sum(sample.gone.values())
    return [
        f"# Proposed from the first {len(sample.raw)} rows of {_one_line(files)},",
        f"# of which cleaning kept {sample.kept.num_rows} and took out {gone}. Read it, change it,",
        "# and put it into the recipe. `sluice check` says whether it can be used.",
    ]


def _limits(sample: Sample, frame: Any, tags: Sequence[str]) -> Iterator[str]:
    raw, kept = len(sample.raw), len(frame)
    gone = sum(sample.gone.values())
    yield f"  min_rows: {max(1, kept // 2)}  # half of the {kept} that cleaning kept"
    share = gone / raw
    # Twice as much room as elsewhere: the whole path also takes out what comparing finds.
    yield f"  max_drop_share: {_room(2 * share)}  # cleaning took out {share:.1%}"
    blank = _blank_share(sample)
    yield f"  max_blank_share: {_room(blank)}  # of questions or answers {blank:.1%} show nothing"
    yield from _languages(frame)
    if tags:
        yield "  max_tag_share:"
        for tag in tags:
            counts = frame[f"tag_{tag}"].value_counts()
            largest = float(counts.iloc[0]) / kept
            yield f"    {_word(tag)}: {_room(largest)}  # its most frequent value has {largest:.1%}"


def _languages(frame: Any) -> Iterator[str]:
    known = frame["language"].dropna()
    if known.empty:
        return
    counts = known.value_counts()
    share = float(counts.iloc[0]) / len(frame)
    least = math.floor(share * 80) / 100  # four fifths of what was measured
    yield "  min_language_share:"
    yield f"    {_word(str(counts.index[0]))}: {least}  # {share:.1%} of the rows were in it"


def _range(frame: Any, name: str) -> Iterator[str]:
    values = frame[name].dropna()
    if values.empty:
        return
    low, middle, high = (int(v) for v in values.quantile([0.01, 0.5, 0.99], "nearest"))
    yield from _expectation("expect_column_values_to_be_between", name)
    yield f"      min_value: {math.floor(low / _SLACK)}"
    yield f"      max_value: {math.ceil(high * _SLACK)}"
    yield f"      mostly: {_MOSTLY}"
    yield "      severity: warning"
    yield f"      # measured: 1 % below {low}, half below {middle}, 1 % above {high}"


def _values(frame: Any, tag: str) -> Iterator[str]:
    counts = frame[f"tag_{tag}"].value_counts()
    values = sorted(str(value) for value in counts.index)
    yield from _expectation("expect_column_values_to_be_in_set", f"tag_{tag}")
    yield f"      value_set: [{', '.join(map(_word, values))}]"
    without = int(frame[f"tag_{tag}"].isna().sum())
    yield f"      severity: warning  # {without} of {len(frame)} rows have no {_one_line(tag)}"


def _expectation(type_: str, column: str) -> Iterator[str]:
    yield "    - on: curated_examples"
    yield f"      type: {type_}"
    yield f"      column: {_word(column)}"


def _tags(rows: Rows) -> list[str]:
    """Tags whose values are few enough to be all known; the others name things or people."""
    found: list[str] = []
    for tag in sorted(set(rows.column("tags").keys.to_pylist())):
        values = rows.tag(tag).drop_null()
        distinct = len(values.unique())
        if distinct <= _MAX_VALUES and len(values) >= _MIN_ROWS_PER_VALUE * distinct:
            found.append(str(tag))
    return found


def _blank_share(sample: Sample) -> float:
    blank = sum(not r.answer.strip() or not r.question.strip() for r in sample.raw)
    return blank / len(sample.raw)


def _room(share: float) -> float:
    """Twice the share and 5 points more, at most all."""
    return min(1.0, round(2 * share + 0.05, 2))


def _word(text: str) -> str:
    """A text as YAML reads it back, whatever is in it."""
    plain = text.isidentifier() and text.isascii() and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return " ".join(text.split())


_YAML_WORDS: frozenset[str] = frozenset(
    {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"}
)
