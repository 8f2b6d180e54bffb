"""Expectations that a recipe adds to a contract, and the words that it may use for them.

The tables below let `sluice check` find a misspelt type, argument or column at once, without
importing Great Expectations. A test compares them with the installed version.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Boundary = Literal["raw_records", "curated_examples", "training_examples", "evaluation_rows"]
BOUNDARIES: tuple[str, ...] = get_args(Boundary)

_BOUNDS = "min_value? max_value? strict_min? strict_max?"
_MAP = "column mostly?"
# Arguments of each type, `?` where they may be left out. Types that need a database, that repeat
# what the schema of a row already says, or that look at another table are left out; so are row
# conditions, which could name columns that are not in the frame.
ROW_TYPES: dict[str, str] = {
    "expect_column_values_to_be_between": f"{_MAP} {_BOUNDS}",
    "expect_column_value_lengths_to_be_between": f"{_MAP} {_BOUNDS}",
    "expect_column_value_lengths_to_equal": f"{_MAP} value",
    "expect_column_values_to_be_in_set": f"{_MAP} value_set",
    "expect_column_values_to_not_be_in_set": f"{_MAP} value_set",
    "expect_column_values_to_be_null": _MAP,
    "expect_column_values_to_not_be_null": _MAP,
    "expect_column_values_to_match_regex": f"{_MAP} regex",
    "expect_column_values_to_not_match_regex": f"{_MAP} regex",
    "expect_column_values_to_match_regex_list": f"{_MAP} regex_list match_on?",
    "expect_column_values_to_not_match_regex_list": f"{_MAP} regex_list",
    "expect_column_values_to_match_strftime_format": f"{_MAP} strftime_format",
    "expect_column_values_to_be_dateutil_parseable": _MAP,
    "expect_column_values_to_be_json_parseable": _MAP,
    "expect_column_values_to_match_json_schema": f"{_MAP} json_schema",
    "expect_column_pair_values_a_to_be_greater_than_b": "column_A column_B or_equal? mostly?",
    "expect_column_pair_values_to_be_equal": "column_A column_B mostly?",
    "expect_column_pair_values_to_be_in_set": "column_A column_B value_pairs_set mostly?",
    "expect_multicolumn_sum_to_equal": "column_list sum_total mostly?",
    "expect_multicolumn_values_to_be_equal": "column_list mostly?",
    "expect_select_column_values_to_be_unique_within_record": "column_list mostly?",
}
# These look at all values of a column together, so the column is held whole.
COLUMN_TYPES: dict[str, str] = {
    "expect_column_values_to_be_unique": _MAP,
    "expect_compound_columns_to_be_unique": "column_list mostly?",
    "expect_column_distinct_values_to_be_in_set": "column value_set",
    "expect_column_distinct_values_to_contain_set": "column value_set",
    "expect_column_distinct_values_to_equal_set": "column value_set",
    "expect_column_most_common_value_to_be_in_set": "column value_set ties_okay?",
    "expect_column_max_to_be_between": f"column {_BOUNDS}",
    "expect_column_mean_to_be_between": f"column {_BOUNDS}",
    "expect_column_median_to_be_between": f"column {_BOUNDS}",
    "expect_column_min_to_be_between": f"column {_BOUNDS}",
    "expect_column_stdev_to_be_between": f"column {_BOUNDS}",
    "expect_column_sum_to_be_between": f"column {_BOUNDS}",
    "expect_column_quantile_values_to_be_between": "column quantile_ranges allow_relative_error?",
    "expect_column_proportion_of_non_null_values_to_be_between": f"column {_BOUNDS}",
    "expect_column_proportion_of_unique_values_to_be_between": f"column {_BOUNDS}",
    "expect_column_unique_value_count_to_be_between": f"column {_BOUNDS}",
}
TYPES = {**ROW_TYPES, **COLUMN_TYPES}

TEXT_COLUMNS = ("question", "answer", "system")
# Of each row. Texts are held only if an expectation names them; measures of them are cheap.
ROW_COLUMNS: dict[str, str] = {
    "row_id": "digest of the row's content",
    "source": "name of the file or table that the row came from",
    "line": "its line there, from 1",
    "language": "ISO 639-1 code, null if not known",
    "received_at": "UTC in ISO 8601, if the row says so",
    "roles": "roles of the messages, such as `user>assistant`",
    "n_turns": "how many messages the row has",
    "question": "the last thing the user said, null in rows of plain text",
    "answer": "the answer to be learned",
    "system": "the row's own system message",
    "null_messages": "messages of the row whose content is null",
    "characters": "characters of all messages",
    "question_characters": "characters of the question",
    "answer_characters": "characters of the answer",
    "question_visible_characters": "those of the question that a reader sees",
    "answer_visible_characters": "those of the answer that a reader sees",
    "question_control_characters": "control and zero-width characters in the question",
    "answer_control_characters": "control and zero-width characters in the answer",
    "question_html": "1 if HTML is left in the question, else 0",
    "answer_html": "1 if HTML is left in the answer, else 0",
    "open_ending": "1 if the answer does not end like a sentence, else 0",
    "repeated": "1 if an earlier row has the same content, else 0",
}
# Of each row, but only once a tokenizer and the split are known.
LATER_COLUMNS: dict[str, str] = {
    "split": "train, validation or evaluation",
    "tokens": "tokens of the row as the trainer sees it",
    "question_in_evaluation": "1 if the question is also an evaluation question, else 0",
}
# Of the batch as a whole. `?` stands for a name: of a tag, a language, a reason, a measure.
BATCH_COLUMNS: dict[str, str] = {
    "rows": "how many rows there are",
    "train_rows": "how many of them are trained on",
    "null_share": "share of rows with a message whose content is null",
    "question_blank_share": "share of rows whose question shows nothing",
    "answer_blank_share": "share of rows whose answer shows nothing",
    "repeated_share": "share of rows that an earlier one equals",
    "open_ending_share": "share of answers that do not end like a sentence",
    "evaluation_question_rows": "rows whose question is also an evaluation question",
    "characters_p05": "5th percentile of the characters of a row",
    "characters_p50": "median of the characters of a row",
    "characters_p95": "95th percentile of the characters of a row",
    "characters_max": "characters of the longest row",
    "tokens_p50": "median of the tokens of a row",
    "tokens_p95": "95th percentile of the tokens of a row",
    "tokens_max": "tokens of the longest row",
    "language_share_?": "share of rows in this language (`unknown` where it is not known)",
    "source_largest_share": "share of the source with most rows",
    "tag_?_missing_share": "share of rows without this tag",
    "tag_?_largest_share": "share that the most frequent value of this tag has",
    "tag_?_values": "how many values this tag has",
    "freshness_hours": "age of the newest row when the batch was read",
    "drop_share": "share of rows that cleaning and comparing took out, duplicates apart",
    "duplicate_share": "share of rows that were taken out as duplicates",
    "drop_share_?": "share of rows taken out for this reason",
    "drift_?": "drift score of this measure against the champion's data",
}
_NAMED_IN = ("column", "column_A", "column_B", "column_list")


class ExpectationSection(BaseModel):
    """One expectation of Great Expectations: its type, and its arguments beside it.

    Without `mostly`, a row that breaks a critical expectation is quarantined. With `mostly`, the
    expectation is about the batch: that share of rows must keep it, and no row is set aside.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    on: Boundary = Field(description="The contract that it is added to.")
    type: str = Field(description="Type, as Great Expectations names it: `expect_...`.")
    severity: Literal["critical", "warning", "info"] = Field(
        default="critical",
        description="critical: rows are quarantined, or the batch stops. Otherwise only reported.",
    )
    description: str | None = Field(default=None, description="What it demands, for people.")

    @property
    def arguments(self) -> dict[str, Any]:
        """What is written beside the keys above."""
        return dict(self.model_extra or {})

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it speaks of."""
        return columns_in(self.arguments)

    @model_validator(mode="after")
    def _known(self) -> ExpectationSection:
        if self.type not in TYPES:
            raise ValueError(f"the type `{self.type}` is not known.{_nearest(self.type, TYPES)}")
        _check_arguments(self.type, self.arguments)
        for name in self.columns:
            check_column(name, self.on)
        return self


def columns_in(arguments: dict[str, Any]) -> tuple[str, ...]:
    """The columns that the arguments of an expectation name."""
    named: list[str] = []
    for key in _NAMED_IN:
        value = arguments.get(key)
        named += value if isinstance(value, list) else [value] if value is not None else []
    return tuple(str(name) for name in named)


def is_batch_column(name: str) -> bool:
    """Whether a column measures the batch as a whole."""
    return any(_fits(name, pattern) for pattern in BATCH_COLUMNS)


def check_column(name: str, on: str) -> None:
    """Refuse a column that no row and no batch has at this boundary.

    Raises:
        ValueError: there is none of this name; the nearest one is named.
    """
    there = {**ROW_COLUMNS, **({} if on == "raw_records" else LATER_COLUMNS)}
    if name in there or is_batch_column(name) or (name.startswith("tag_") and len(name) > 4):
        return
    hint = " It comes with the later contracts." if name in LATER_COLUMNS else None
    raise ValueError(
        f"{on} has no column `{name}`.{hint or _nearest(name, {**there, **BATCH_COLUMNS})}"
    )


def _check_arguments(type_: str, given: dict[str, Any]) -> None:
    words = TYPES[type_].split()
    known = [word.rstrip("?") for word in words]
    for name, value in given.items():
        if name not in known:
            raise ValueError(f"`{type_}` takes no argument `{name}`.{_nearest(name, known)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"`{name}` must be a finite number")
    missing = [word for word in words if not word.endswith("?") and given.get(word) is None]
    if missing:
        raise ValueError(f"`{type_}` needs {' and '.join(f'`{name}`' for name in missing)}")
    if "min_value" in known and given.get("min_value") is None and given.get("max_value") is None:
        raise ValueError(f"`{type_}` needs `min_value` or `max_value`, or it would pass anything")
    patterns: list[object] = [given.get("regex"), *(given.get("regex_list") or [])]
    for pattern in patterns:
        _check_pattern(pattern)
    mostly = given.get("mostly", 1.0)
    if not isinstance(mostly, int | float) or not 0 < mostly <= 1:
        raise ValueError("`mostly` is a share: above 0, at most 1")


def _check_pattern(pattern: object) -> None:
    try:
        re.compile(str(pattern or ""))
    except re.error as error:
        raise ValueError(f"`{pattern}` is no regular expression: {error}") from error


def _fits(name: str, pattern: str) -> bool:
    before, mark, after = pattern.partition("?")
    if not mark:
        return name == pattern
    long_enough = len(name) > len(before) + len(after)
    return long_enough and name.startswith(before) and name.endswith(after)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1, cutoff=0.5)
    return f" Did you mean `{near[0]}`?" if near else f" There are {', '.join(known)}."
