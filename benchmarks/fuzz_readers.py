"""Spoil valid files of every format, read them, and look for a crash, a hang or a disagreement.

python -m benchmarks.fuzz_readers --seconds 600 [--seed 1] [--format parquet]

Each format is read in a process of its own, so that a crash of a library is seen and named. What
must hold, whatever the bytes:

- reading ends, with rows and rejects, or with a `BatchError`;
- each row obeys the rule book: written as JSON it is read back the same, by the fast parser and by
  the slow one, so what is checked equals what trains;
- each line of JSON Lines is accounted for once, and the parts of a file give what the whole gives;
- a row stands once, on a line of its own, and each reason is a known one.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import zstandard

import sluice.data.reading.bytes_of as bytes_of
import sluice.data.reading.sharding as sharding
from sluice.data.outcomes import Reject
from sluice.data.reading import Limits, Place, RawRow, read_shard, shards
from sluice.data.strict_json import parse_by_the_book, parse_object
from sluice.errors import BatchError

LIMITS = Limits(max_line_bytes=2000, max_nesting=16, max_decompressed_bytes=4 * 1024**2)
HANG_SECONDS = 20
MAX_RSS_GB = 2.0
REASONS = frozenset(
    {
        *("bad_quoting", "bad_utf8", "byte_order_mark", "duplicate_key", "line_too_long"),
        *("lone_surrogate", "not_an_object", "not_finite", "not_json", "nul_character"),
        *("too_deep", "unreadable_value", "wrong_column_count"),
    }
)
NASTY = (
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\u0000", b"\\ud800", b'"', b'""', b"\\"),
    *(b"\n", b"\r\n", b",", b"\t", b"[" * 40, b'{"a":' * 40, b"]", b"}", b'"a":1,"a":2', b"NaN"),
    *(b"1e999", b"-0", b"9" * 400, b"18446744073709551616", b"x" * 2100, b"\xe2\x80\xa8", b": "),
    *(b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"PAR1", b"ARROW1", b"\x28\xb5\x2f"),
)

Maker = Callable[[list[dict[str, Any]]], bytes]


class DisagreementError(AssertionError):
    """Something that must hold does not."""


# ---- valid files


def _rows(random: Random) -> list[dict[str, Any]]:
    texts = ["有帐篷吗？", 'He said "hi", twice', "a\nb", "", "x" * 90, "\U0001f600", "key: value"]
    return [
        {
            "instruction": f"{i} {random.choice(texts)}",
            "output": random.choice(texts),
            "score": random.choice([None, 0.5, 3, -1e30]),
            "messages": [{"role": "user", "content": random.choice(texts)}] * random.randint(0, 2),
        }
        for i in range(random.randint(1, 30))
    ]


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _list(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows, indent=len(rows) % 3 or None).encode()


def _object(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps({"version": [1], "data": rows, "n": {"data": []}}).encode()


def _delimited(delimiter: str) -> Maker:
    import csv

    def write(rows: list[dict[str, Any]]) -> bytes:
        file = io.StringIO()
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(["instruction", "output"])
        writer.writerows([row["instruction"], row["output"]] for row in rows)
        return file.getvalue().encode()

    return write


def _table(rows: list[dict[str, Any]]) -> Any:
    for row in rows:
        row["score"] = None if row["score"] is None else float(row["score"])
        row["tags"] = {"label": row["output"][:3], "raw": row["output"].encode()}
    return pyarrow.Table.from_pylist(rows)


def _parquet(compression: str) -> Maker:
    def write(rows: list[dict[str, Any]]) -> bytes:
        file = io.BytesIO()
        pyarrow.parquet.write_table(_table(rows), file, compression=compression, row_group_size=7)
        return file.getvalue()

    return write


def _arrow(new: Any) -> Maker:
    def write(rows: list[dict[str, Any]]) -> bytes:
        file = io.BytesIO()
        table = _table(rows)
        with new(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=7)
        return file.getvalue()

    return write


FORMATS: dict[str, tuple[str, Maker]] = {
    "jsonl": ("a.jsonl", _lines),
    "jsonl.gz": ("a.jsonl.gz", _lines),
    "jsonl.zst": ("a.jsonl.zst", _lines),
    "json-list": ("a.json", _list),
    "json-object": ("a.json", _object),
    "json-lines": ("a.json", _lines),
    "csv": ("a.csv", _delimited(",")),
    "csv.gz": ("a.csv.gz", _delimited(",")),
    "tsv": ("a.tsv", _delimited("\t")),
    "parquet": ("a.parquet", _parquet("none")),
    "parquet-snappy": ("a.parquet", _parquet("snappy")),
    "parquet.zst": ("a.parquet.zst", _parquet("zstd")),
    "arrow-file": ("a.arrow", _arrow(pyarrow.ipc.new_file)),
    "arrow-stream": ("a.arrow", _arrow(pyarrow.ipc.new_stream)),
}


# ---- spoiling them


def spoil(content: bytes, random: Random) -> bytes:
    """The content with up to six changes: bits, cuts, repeats, moves, nasty sequences."""
    spoiled = bytearray(content)
    for _ in range(random.choice([0, 1, 1, 1, 2, 3, 6])):
        _change(spoiled, random)
    return bytes(spoiled)


def _change(content: bytearray, random: Random) -> None:
    at = random.randrange(len(content) + 1)
    length = random.choice([1, 1, 2, 8, 64, 1000])
    match random.choice(["flip", "flip", "cut", "drop", "repeat", "move", "nasty", "nasty", "set"]):
        case "flip" if at < len(content):
            content[at] ^= 1 << random.randrange(8)
        case "set" if at < len(content):
            content[at] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])
        case "cut":
            del content[at:]
        case "drop":
            del content[at : at + length]
        case "repeat":
            content[at:at] = content[at : at + length] * random.choice([1, 2, 20])
        case "move":
            target = random.randrange(len(content) + 1)
            content[target:target] = content[at : at + length]
        case _:
            nasty = random.choice(NASTY)
            content[at : at + random.choice([0, 0, len(nasty)])] = nasty


def make(format: str, random: Random) -> tuple[str, bytes]:
    """A file name and spoiled content; of packed files the inside, the outside or both."""
    name, write = FORMATS[format]
    content = write(_rows(random))
    inside = random.random() < 0.5
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}.get(Path(name).suffix)
    if pack is None:
        return name, spoil(content, random)
    packed = pack(spoil(content, random) if inside else content)
    return name, packed if inside and random.random() < 0.8 else spoil(packed, random)


# ---- what must hold


def check(path: Path, random: Random) -> str:
    """Read a file whole and in parts; "read" or "refused".

    Raises:
        DisagreementError: something that must hold does not.
    """
    place = Place(str(path), "a", path.name.split(".")[1])
    whole = _read(place)
    with _small_pieces(random):
        parts = _read(place)
    if isinstance(whole, str) or isinstance(parts, str):
        # A file with two faults is refused for the one that is met first, and that depends on how
        # much is read at a time: cut off, or not UTF-8.
        if not (isinstance(whole, str) and isinstance(parts, str)):
            raise DisagreementError(f"whole: {whole!r:.300}, in parts: {parts!r:.300}")
        return "refused"
    if repr(whole) != repr(parts):
        raise DisagreementError("the parts of the file give something else than the whole")
    _check_rows(whole)
    if path.name == "a.jsonl":
        _check_lines(path.read_bytes(), whole)
    return "read"


def _read(place: Place) -> list[RawRow | Reject] | str:
    try:
        return [row for shard in shards(place, LIMITS) for row in read_shard(shard, LIMITS)]
    except BatchError as error:
        return str(error)


@contextmanager
def _small_pieces(random: Random) -> Iterator[None]:
    before = sharding.SHARD_BYTES, bytes_of.READ_BYTES
    sharding.SHARD_BYTES = random.choice([1, 50, 500])
    bytes_of.READ_BYTES = random.choice([1, 7, 100, 1000])
    try:
        yield
    finally:
        sharding.SHARD_BYTES, bytes_of.READ_BYTES = before


def _check_rows(found: Sequence[RawRow | Reject]) -> None:
    lines = [row.line for row in found]
    if lines != sorted(set(lines)):
        raise DisagreementError(f"lines are not in order, each once: {lines}")
    for row in found:
        if isinstance(row, Reject):
            if row.reason not in REASONS or len(row.detail) > 200:
                raise DisagreementError(f"an unknown reason: {row}")
            continue
        text = json.dumps(row.values, ensure_ascii=False).encode()
        for parse in (parse_object, parse_by_the_book):
            if repr(parse(text, LIMITS.max_nesting)) != repr(row.values):
                raise DisagreementError(f"{parse.__name__} reads a row back differently: {text!r}")


def _check_lines(content: bytes, found: Sequence[RawRow | Reject]) -> None:
    lines = content.split(b"\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
    at = {row.line: row for row in found}
    for number, line in enumerate(lines, 1):
        row = at.pop(number, None)
        if row is None:
            if line.strip():
                raise DisagreementError(f"line {number} is not accounted for")
            continue
        offset = row.offset if isinstance(row, RawRow) else row.byte_offset
        if offset != starts[number - 1]:
            raise DisagreementError(
                f"line {number} begins at {starts[number - 1]}, not at {offset}"
            )
        fast, slow = (
            parse(line, LIMITS.max_nesting) for parse in (parse_object, parse_by_the_book)
        )
        if repr(fast) != repr(slow):
            raise DisagreementError(f"the parsers disagree about {line!r}: {fast}, {slow}")
    if at:
        raise DisagreementError(f"lines that do not exist: {sorted(at)}")


# ---- running it


def fuzz(format: str, seconds: float, seed: int, first: int, progress: Path) -> int:
    """Check spoiled files until the time is up; writes counts and failures, returns failures."""
    counts = {"read": 0, "refused": 0}
    failures = 0
    signal.signal(signal.SIGALRM, _hangs)
    end = time.monotonic() + seconds
    iteration = first
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end or iteration == first:
            progress.write_text(str(iteration))
            random = Random(f"{seed}:{format}:{iteration}")
            try:
                signal.alarm(HANG_SECONDS)
                name, content = make(format, random)
                (Path(folder) / name).write_bytes(content)
                counts[check(Path(folder) / name, random)] += 1
            except Exception as error:
                failures += 1
                sys.stdout.write(f"FAILED {format} --first {iteration}: {error!r:.600}\n")
            signal.alarm(0)
            iteration += 1
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    if rss > MAX_RSS_GB:
        failures += 1
        sys.stdout.write(f"FAILED {format}: {rss:.1f} GB of memory\n")
    sys.stdout.write(
        f"{format:15} {iteration - first:7} files: {counts['read']} read, {counts['refused']} "
        f"refused, {failures} failures, {rss:.2f} GB\n"
    )
    return failures


def _hangs(_signal: int, _frame: object) -> None:
    raise DisagreementError(f"not done after {HANG_SECONDS} seconds")


def _in_a_process(format: str, seconds: float, seed: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "iteration"
        command = [sys.executable, "-m", "benchmarks.fuzz_readers", "--format", format]
        command += ["--seconds", str(seconds), "--seed", str(seed), "--progress", str(progress)]
        code = subprocess.run(command, check=False, timeout=seconds + 120).returncode
        if code not in (0, 1):
            sys.stdout.write(f"CRASHED {format} --first {progress.read_text()}: exit {code}\n")
    return code


def main() -> int:
    """Fuzz all formats, or one; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60, help="for all formats together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=FORMATS, help="this one alone, in this process")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--progress", type=Path, default=Path("/dev/null"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.format:
        found = fuzz(given.format, given.seconds, given.seed, given.first, given.progress)
        return 1 if found else 0
    seconds = given.seconds / len(FORMATS)
    codes = [_in_a_process(format, seconds, given.seed) for format in FORMATS]
    return 1 if any(codes) else 0


if __name__ == "__main__":
    raise SystemExit(main())
