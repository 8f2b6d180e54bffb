"""Clean a file with py-data-juicer, in its own environment.

    ENVIRONMENT/bin/python run_data_juicer.py INPUT.jsonl WORK RESULT.json [space|character]

Unicode (ftfy, NFC) and whitespace, length, character and word repetition, exact duplicates,
MinHash, by its operators with one process each and its fastest switch (`turbo`). Near duplicates
are found by words between spaces, its default, or by characters, its advice for Chinese.

Left alone it installs torch in the middle of a run (several GB), to free the memory of
models that are not there. Here it may install nothing, and has no models to free.
"""
# pyright: reportMissingImports=false, reportUnknownMemberType=false

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

SOURCE, WORK, RESULT = (Path(argument) for argument in sys.argv[1:4])
TOKENS = sys.argv[4] if len(sys.argv) > 4 else "space"
# Read once, when `datasets` is imported.
os.environ["HF_DATASETS_CACHE"] = str(WORK / "cache")
os.environ["HF_HUB_OFFLINE"] = "1"

from data_juicer.utils.lazy_loader import LazyLoader  # noqa: E402


def refuse(package: str, *_: Any) -> None:
    """What it does instead of installing a package."""
    raise ImportError(f"{package} is not installed, and a benchmark is no time to do it")


LazyLoader._install_package = refuse

from data_juicer.core.data import NestedDataset  # noqa: E402
from data_juicer.ops import base_op  # noqa: E402
from data_juicer.ops.deduplicator import (  # noqa: E402
    DocumentDeduplicator,
    DocumentMinhashDeduplicator,
)
from data_juicer.ops.filter import (  # noqa: E402
    CharacterRepetitionFilter,
    TextLengthFilter,
    WordRepetitionFilter,
)
from data_juicer.ops.mapper import FixUnicodeMapper, WhitespaceNormalizationMapper  # noqa: E402
from datasets import disable_progress_bars, load_dataset  # noqa: E402
from loguru import logger  # noqa: E402

MIN_CHARS, MAX_CHARS = 20, 4000
ONE_PROCESS: dict[str, Any] = {"num_proc": None, "auto_op_parallelism": False, "turbo": True}


def joined(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """The text of a batch of rows, under the key that the operators read."""
    columns = (rows["instruction"], rows["input"], rows["output"])
    return {"text": ["\n".join(parts) for parts in zip(*columns, strict=True)]}


def numbers(rows: Any) -> list[int]:
    """The row numbers of a data set."""
    return [int(name[1:]) for name in rows["id"]]


def main() -> None:
    """Run all operators and write how long each took."""
    base_op.free_models = lambda: None
    disable_progress_bars()
    logger.remove()
    stages: dict[str, list[Any]] = {
        "normalise": [
            FixUnicodeMapper(normalization="NFC", **ONE_PROCESS),
            WhitespaceNormalizationMapper(**ONE_PROCESS),
        ],
        "length": [TextLengthFilter(min_len=MIN_CHARS, max_len=MAX_CHARS, **ONE_PROCESS)],
        "repetition": [
            CharacterRepetitionFilter(**ONE_PROCESS),
            WordRepetitionFilter(**ONE_PROCESS),
        ],
        "exact duplicates": [DocumentDeduplicator(**ONE_PROCESS)],
        "near duplicates": [
            DocumentMinhashDeduplicator(
                tokenization=TOKENS, window_size=5, jaccard_threshold=0.8, **ONE_PROCESS
            )
        ],
    }
    started, used = time.perf_counter(), time.process_time()
    loaded: Any = load_dataset("json", data_files=str(SOURCE), split="train")
    rows = NestedDataset(loaded.map(joined, batched=True, remove_columns=["instruction", "output"]))
    rows_in = len(rows)
    seconds = {"read": time.perf_counter() - started}
    before: list[int] = []
    for name, operators in stages.items():
        if name == "near duplicates":
            before = numbers(rows)
        begun = time.perf_counter()
        for operator in operators:
            rows = operator.run(rows)
        seconds[name] = time.perf_counter() - begun
    begun = time.perf_counter()
    rows.to_json(str(WORK / "kept.jsonl"), force_ascii=False)
    seconds["write"] = time.perf_counter() - begun
    report = {
        "seconds": sum(seconds.values()),
        "cpu_seconds": time.process_time() - used,
        "stages": seconds,
        "rows_in": rows_in,
        "rows_out": len(rows),
        "peak_rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
        "before_near": before,
        "kept": numbers(rows),
    }
    RESULT.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
