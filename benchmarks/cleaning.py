"""How fast data is cleaned, beside two peers, and what it takes in memory.

    python -m benchmarks.cleaning [--json] [--rows 100000] [--rounds 1] [--memory 1000000 4000000]

All sides clean the same file, one after the other, in alternating order, on one core and one
thread: Unicode and whitespace, length, repetition, exact duplicates, MinHash near duplicates at a
similarity of 0.8. Everybody's seconds begin when their imports are done, and ours leave out the
contracts, which the peers do not have. The file's labels tell how many near duplicates each side
found, and what else it took for one. Needs an otherwise idle machine.

`mb_per_second_per_core` is ours without near duplicates; with them it is beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from benchmarks import contract_cost
from benchmarks.corpus import read_labels, write_corpus
from benchmarks.near_scores import near_scores
from benchmarks.peers import (
    ONE_THREAD,
    PEERS,
    SideResult,
    cache,
    environment,
    on_one_core,
    run_peer,
)

ROOT = Path(__file__).parent.parent
OURS, OURS_WITHOUT_NEAR = "sluice", "sluice, without near duplicates"
NEAR_DUPLICATE = "near_duplicate"
Side = Callable[[Path, Path], SideResult]  # (corpus, empty folder) -> what it did

# What the peers do not do is off: the ratio compares the same operations.
OFF = [
    *("zero_width", "html", "markdown", "punctuation_runs", "special_tokens", "boilerplate"),
    *("refusal", "encoding_damage", "answer_repeats_question", "hash_symbols", "ellipses"),
    *("bullet_lines", "few_letters", "word_length", "other_language", "too_many_tokens"),
]
PRIVATE = ("email", "phone", "national_id", "bank_card", "ip_address", "secret")
RECIPE: dict[str, Any] = {
    "model": {"name": "benchmark", "base": "./no-model"},
    "data": {"evaluation": "evaluation.jsonl", "validation_share": 0.0},
    "cleaning": {"off": OFF, "min_answer_chars": 8, "max_chars": 4000},
    "privacy": dict.fromkeys(PRIVATE, "keep"),
    "duplicates": {"similarity": 0.8, "conflicts": "keep"},
    "poisoning": {"alarm": "off"},
    "drift": {"enabled": False},
    "contract": {"min_rows": 1, "max_drop_share": None, "max_drop_share_per_rule": None},
    "compute": {"workers": 1},
}


def run_ours(corpus: Path, work: Path, *, near: bool = True) -> SideResult:
    """Clean a corpus with Sluice.

    Raises:
        RuntimeError: the command failed; the end of what it said is in the message.
    """
    recipe = RECIPE | {"duplicates": RECIPE["duplicates"] | {"near": near}}
    (work / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    held_out = {"instruction": "zzyzx?", "input": "", "output": "Zzyzx is a place in California."}
    (work / "evaluation.jsonl").write_text(json.dumps(held_out) + "\n")
    command = [sys.executable, "-m", "commands.main", "prepare", str(work / "recipe.yaml")]
    places = ["--input", str(corpus), "--output", str(work / "out"), "--json"]
    used = _run(on_one_core([*command, *places]), work)
    told = json.loads((work / "said.json").read_text())["seconds"]
    contracts = sum(spent for stage, spent in told.items() if stage.startswith("check"))
    kept = _rows_of(work / "out/curated.parquet")
    near_rows = _rows_of(work / "out/dropped.parquet", NEAR_DUPLICATE)
    return SideResult(
        seconds=sum(told.values()) - contracts,
        cpu_seconds=used.ru_utime + used.ru_stime,
        stages=told,
        rows_in=sum(_rows_in(work / "out").values()),
        rows_out=len(kept),
        peak_rss_gb=used.ru_maxrss / 1024**2,
        before_near=kept | near_rows,
        kept=kept,
    )


SIDES: dict[str, Side] = {
    OURS: run_ours,
    OURS_WITHOUT_NEAR: partial(run_ours, near=False),
    **{name: partial(run_peer, name) for name in PEERS},
}


def _run(command: Sequence[str], work: Path) -> resource.struct_rusage:
    """Run a command; returns what it used: of memory, the most that one of its processes had."""
    variables = ONE_THREAD | {"SLUICE_HOME": str(work / "home"), "PYTHONPATH": str(ROOT)}
    log = work / "log.txt"
    with log.open("wb") as errors, (work / "said.json").open("wb") as out:
        process = subprocess.Popen(
            command, env=os.environ | variables, cwd=work, stdout=out, stderr=errors
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"sluice prepare ended with {process.returncode}: {said}")
    return used


def _rows_of(path: Path, reason: str | None = None) -> frozenset[int]:
    """The row numbers in an outcome, or those of them that have a reason."""
    table = pq.read_table(path, columns=["line", "reason"])
    if reason is not None:
        table = table.filter(pc.field("reason") == reason)
    return frozenset(line - 1 for line in table.column("line").to_pylist())


def _rows_in(out: Path) -> dict[str, int]:
    return {path.stem: pq.read_metadata(path).num_rows for path in out.glob("*.parquet")}


def measured(
    corpus: Path, names: Sequence[str], rounds: int, sides: dict[str, Side] = SIDES
) -> dict[str, list[SideResult]]:
    """What the named sides did with a corpus, over all rounds."""
    for name in set(names) & set(PEERS):
        environment(name)  # made before any clock runs
    found: dict[str, list[SideResult]] = {name: [] for name in names}
    for turn in range(rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            with tempfile.TemporaryDirectory(dir=corpus.parent) as work:
                result = sides[name](corpus, Path(work))
            found[name].append(result)
            sys.stderr.write(f"{name}: {result.seconds:.1f} s, {result.peak_rss_gb:.2f} GiB\n")
    return found


def report(corpus: Path, found: dict[str, list[SideResult]]) -> dict[str, Any]:
    """The figures that the sides' results come to."""
    megabytes, labels = corpus.stat().st_size / 1e6, read_labels(corpus)
    seconds = {n: statistics.median(r.seconds for r in results) for n, results in found.items()}
    cpu = {n: statistics.median(r.cpu_seconds for r in results) for n, results in found.items()}
    speeds = {name: megabytes / value for name, value in seconds.items()}
    scores = {
        name: near_scores(results[0].before_near, results[0].kept, labels)
        for name, results in found.items()
        if name != OURS_WITHOUT_NEAR
    }
    return {
        "mb_per_second_per_core": speeds.get(OURS_WITHOUT_NEAR),
        "mb_per_second_per_core_with_near_duplicates": speeds.get(OURS),
        "ratios": _ratios(seconds),
        "ratios_of_cpu_seconds": _ratios(cpu),
        "near_duplicate_recall": {name: score.recall for name, score in scores.items()},
        "near_duplicate_precision": {name: score.precision for name, score in scores.items()},
        "swapped_rows_kept": {name: score.swapped_kept for name, score in scores.items()},
        "seconds": seconds,
        "cpu_seconds": cpu,
        "rows_kept": {name: results[0].rows_out for name, results in found.items()},
        "megabytes": megabytes,
    }


def _ratios(seconds: dict[str, float]) -> dict[str, float]:
    """How many times as long as we each peer took."""
    if OURS not in seconds:
        return {}
    return {name: seconds[name] / seconds[OURS] for name in PEERS if name in seconds}


def memory(folder: Path, sizes: Sequence[int], seed: int) -> dict[str, dict[str, float]]:
    """Our memory and seconds for corpora of these many rows, by rows."""
    peaks: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for rows in sizes:
        corpus = folder / f"memory-{rows}.jsonl"
        write_corpus(corpus, rows, seed)
        (result,) = measured(corpus, [OURS], 1)[OURS]
        peaks[str(rows)], seconds[str(rows)] = result.peak_rss_gb, result.seconds
        corpus.unlink()
    return {"peak_rss_gb": peaks, "seconds_by_rows": seconds}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--memory", nargs="*", type=int, default=[1_000_000, 4_000_000])
    parser.add_argument("--contract-rows", type=int, default=200_000)
    given = parser.parse_args()
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as name:
        folder = Path(name)
        corpus = folder / "rows.jsonl"
        write_corpus(corpus, given.rows, given.seed)
        figures = report(corpus, measured(corpus, given.sides, given.rounds))
        figures |= memory(folder, given.memory, given.seed)
    if given.contract_rows:
        cost = contract_cost.measured(given.contract_rows, 3)
        figures["contract_over_raw_gx"] = cost["contract_over_raw_gx"]
    sys.stdout.write(json.dumps(figures) + "\n" if given.json else _table(figures))


def _table(figures: dict[str, Any]) -> str:
    lines: list[str] = []
    for key, value in figures.items():
        if isinstance(value, dict):
            lines += [
                f"{key}:",
                *(f"  {name:<34} {number:>10.3f}" for name, number in value.items()),
            ]
        elif value is not None:
            lines.append(f"{key:<36} {value:>10.3f}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
