"""What the contracts cost beside Great Expectations alone, on the same rows.

    python -m benchmarks.contract_cost [--rows 200000] [--rounds 3] [--json]

Three figures, each the median of rounds that take turns. `raw_gx`: the expectations that contracts
have about rows, run by Great Expectations itself on a frame that is already there, with complete
results. `ours_on_the_frame`: the same by way of our validator. `ours`: the whole check of rows on
disk, in which the parts are read, measured, counted and judged for the batch as well; Great
Expectations alone has nothing to say about rows until somebody has made a frame of them, so
`raw_gx_from_disk` adds a plain frame: rows read, and question and answer as columns of text, with
expectations of the same kind on the texts.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from data_contracts.check import check_parts
from data_contracts.frame import Outside, row_frame
from data_contracts.groups import grouped
from data_contracts.parts import repeats_in
from data_contracts.raw_records import ROLES, raw_records_suite
from data_contracts.rows import Rows
from data_contracts.validation import Validator
from sluice.data.parts import PART_ROWS, Part, part_name, parts_of, read_part, write_part
from sluice.data.record import Message, Record, content_id, records_of, table_of
from sluice.recipe import ContractSection

COMPLETE = {"result_format": "COMPLETE"}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = measured(given.rows, given.rounds)
    print(json.dumps(figures, indent=2) if given.json else _table(figures))  # noqa: T201


def measured(rows: int, rounds: int) -> dict[str, float]:
    """Seconds of each side, and ratios to Great Expectations alone."""
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder), rows)
        parts = parts_of([Path(folder) / "records"])
        suite = raw_records_suite(ContractSection())
        frame = frame_of(parts, list(grouped(suite).row_columns))
        sides: dict[str, Callable[[], Any]] = {
            "raw_gx": lambda: by_gx(frame, grouped(suite).rows),
            "ours_on_the_frame": lambda: Validator().evaluate(frame, grouped(suite).rows),
            "raw_gx_from_disk": lambda: by_gx(plain_frame(parts), plain_expectations()),
            "ours": lambda: check_parts(parts, [suite], Outside()),
        }
        seconds = taking_turns(sides, rounds)
    return {
        **seconds,
        "contract_over_raw_gx": round(seconds["ours_on_the_frame"] / seconds["raw_gx"], 2),
        "contract_over_raw_gx_from_disk": round(seconds["ours"] / seconds["raw_gx_from_disk"], 2),
        "microseconds_per_row": round(seconds["ours"] / rows * 1e6, 2),
    }


def taking_turns(sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each side; the first round warms up and is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            if turn:
                taken[name].append(time.perf_counter() - start)
    return {name: round(statistics.median(each), 3) for name, each in taken.items()}


def write_rows(folder: Path, count: int) -> None:
    """Rows of the length of a shop's: about 60 characters asked, 240 answered, 1 % of them odd."""
    draw = random.Random(7)
    words = [f"word{i}" for i in range(500)]
    for start in range(0, count, PART_ROWS):
        records = [_record(draw, words, i) for i in range(start, min(count, start + PART_ROWS))]
        write_part(folder / "records" / part_name(start // PART_ROWS), table_of(records))


def frame_of(parts: list[Part], names: list[str]) -> pd.DataFrame:
    """The frame that our contracts see."""
    repeated = repeats_in(parts)
    frames = [
        row_frame(
            Rows(read_part(part.path)),
            names,
            side="records",
            repeated=repeated[part.start : part.start + part.rows],
            outside=Outside(),
        )
        for part in parts
    ]
    return pd.concat(frames, ignore_index=True)


def plain_frame(parts: list[Part]) -> pd.DataFrame:
    """Rows as one would hand them to Great Expectations: a column for each field, texts and all."""
    rows = [record for part in parts for record in records_of(read_part(part.path))]
    return pd.DataFrame(
        {
            "row_id": [row.id for row in rows],
            "source": [row.source for row in rows],
            "line": [row.line for row in rows],
            "roles": [">".join(message.role for message in row.messages) for row in rows],
            "question": [row.question for row in rows],
            "answer": [row.answer for row in rows],
        }
    )


def plain_expectations() -> list[gxe.Expectation]:
    """The same demands as the contract of raw records, on texts instead of measures."""
    columns = ("row_id", "source", "line", "roles", "question", "answer")
    return [
        *(gxe.ExpectColumnValuesToNotBeNull(column=name) for name in columns),
        gxe.ExpectColumnValuesToMatchRegex(column="row_id", regex=r"\A[0-9a-f]{16}\Z"),
        gxe.ExpectColumnValuesToMatchRegex(column="roles", regex=ROLES),
        gxe.ExpectColumnValuesToBeBetween(column="line", min_value=1),
        gxe.ExpectColumnValuesToMatchRegex(column="question", regex=r"\S"),
        gxe.ExpectColumnValuesToMatchRegex(column="answer", regex=r"\S"),
        gxe.ExpectColumnProportionOfUniqueValuesToBeBetween(column="row_id", min_value=0.5),
    ]


def by_gx(frame: pd.DataFrame, expectations: Any) -> Any:
    """Great Expectations as its own guide runs it."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("lake").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("batch").get_batch({"dataframe": frame})
    copies = [one.copy(deep=True) for one in expectations]
    return batch.validate(
        gx.ExpectationSuite(name="suite", expectations=copies), result_format=dict(COMPLETE)
    )


def _record(draw: random.Random, words: list[str], number: int) -> Record:
    asked, answered = (" ".join(draw.choices(words, k=k)) for k in (8, 34))
    odd = "" if number % 100 else "\u200b <b>x</b>"
    messages = (Message("user", f"{asked}?"), Message("assistant", f"{answered}{odd}."))
    return Record(content_id(messages), messages, "bench.jsonl", number + 1)


def _table(figures: dict[str, float]) -> str:
    return "\n".join(f"{name:32} {value:>10}" for name, value in figures.items())


if __name__ == "__main__":
    main()
