"""Clean a file with datatrove, in its own environment, as its documentation shows.

    ENVIRONMENT/bin/python run_datatrove.py INPUT.jsonl WORK RESULT.json

Unicode (ftfy, NFC) and whitespace, length, Gopher repetition, exact duplicates, MinHash. One task
at a time in this process. Its steps pass documents through files, so that is part of its time.
It offers no step that tidies whitespace: the formatter below is a subclass of its own base class.
"""
# pyright: reportMissingImports=false, reportUnknownMemberType=false

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    ExactDedupConfig,
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.filters import GopherRepetitionFilter, LambdaFilter
from datatrove.pipeline.formatters import FTFYFormatter
from datatrove.pipeline.formatters.base import BaseFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.text import split_into_words

MIN_CHARS, MAX_CHARS = 20, 4000
# (1/11)^(1/11) = 0.804: its own default of 14 x 8 stands for a threshold of 0.72.
MINHASH = MinhashConfig(n_grams=5, num_buckets=11, hashes_per_bucket=11)
SPACES, EMPTY_LINES = re.compile(r"[^\S\n]+"), re.compile(r"\n\s*\n+")


class Whitespace(BaseFormatter):
    """Runs of spaces and of empty lines become one."""

    name = "Whitespace"

    def format(self, text: str) -> str:
        return EMPTY_LINES.sub("\n\n", SPACES.sub(" ", text)).strip()


def alpaca(_reader: Any, row: dict[str, Any], _path: str, _place: int) -> dict[str, Any]:
    """A row of the input as a document."""
    return {"text": f"{row['instruction']}\n{row['input']}\n{row['output']}", "id": row["id"]}


def long_enough(document: Document) -> bool:
    """The length filter."""
    return MIN_CHARS <= len(document.text) <= MAX_CHARS


def content(document: Document) -> str:
    """What exact duplicates share."""
    return document.text


def ids_in(folder: Path) -> list[int]:
    """The row numbers of what was written."""
    lines = [line for path in sorted(folder.glob("*.jsonl")) for line in path.open()]
    return [int(json.loads(line)["id"][1:]) for line in lines]


def main() -> None:
    """Run all steps and write how long each took."""
    source, work, result = (Path(argument) for argument in sys.argv[1:])
    split_into_words("The tokenizer is loaded before the clock starts.")
    exact = ExactDedupConfig(content_getter=content)

    def read(folder: str) -> JsonlReader:
        return JsonlReader(str(work / folder), glob_pattern="*.jsonl")

    def write(folder: str) -> JsonlWriter:
        return JsonlWriter(str(work / folder), compression=None)

    def run(name: str, steps: list[Any], tasks: int = 1) -> Callable[[], Any]:
        folder = str(work / "logs" / name)
        executor = LocalPipelineExecutor(
            steps, tasks=tasks, workers=1, logging_dir=folder, skip_completed=False
        )
        return executor.run

    begin = JsonlReader(str(source.parent), glob_pattern=source.name, adapter=alpaca)
    repair = [FTFYFormatter(normalization="NFC"), Whitespace()]
    rules = [LambdaFilter(long_enough), GopherRepetitionFilter()]
    sigs, pairs, drops = (str(work / name) for name in ("sigs", "pairs", "drops"))
    marks, same = str(work / "marks"), str(work / "same")
    buckets = MinhashDedupBuckets(sigs, pairs, config=MINHASH)
    steps: dict[str, list[Callable[[], Any]]] = {
        "normalise, length, repetition": [run("rules", [begin, *repair, *rules, write("ruled")])],
        "exact duplicates": [
            run("marks", [read("ruled"), ExactDedupSignature(marks, exact)]),
            run("same", [ExactFindDedups(marks, same, exact)]),
            run("unique", [read("ruled"), ExactDedupFilter(same, exact), write("unique")]),
        ],
        "near duplicates": [
            run("sigs", [read("unique"), MinhashDedupSignature(sigs, MINHASH)]),
            run("pairs", [buckets], tasks=MINHASH.num_buckets),
            run("drops", [MinhashDedupCluster(pairs, drops, config=MINHASH)]),
            run("kept", [read("unique"), MinhashDedupFilter(drops), write("kept")]),
        ],
    }
    seconds: dict[str, float] = {}
    used = time.process_time()
    for name, parts in steps.items():
        started = time.perf_counter()
        for part in parts:
            part()
        seconds[name] = time.perf_counter() - started
    cpu_seconds = time.process_time() - used
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    after = ids_in(work / "kept")
    report = {
        "seconds": sum(seconds.values()),
        "cpu_seconds": cpu_seconds,
        "stages": seconds,
        "rows_in": sum(1 for _ in source.open("rb")),
        "rows_out": len(after),
        "peak_rss_gb": kilobytes / 1024**2,
        "before_near": ids_in(work / "unique"),
        "kept": after,
    }
    result.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
