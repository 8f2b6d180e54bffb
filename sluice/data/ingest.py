"""Ingest: one landing file becomes one snapshot in the lake, once, addressed by its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sluice.data.json_lines import write_json_lines
from sluice.data.reading import Batch, Reject, describe_rejects, read_alpaca
from sluice.data.record import write_records
from sluice.errors import BatchError
from sluice.lake import MANIFEST, Lake, file_digest, read_json, step_key
from sluice.refs import DatasetRef

INGEST_VERSION = 1
UNFINISHED = frozenset({".part", ".tmp"})  # suffixes of files that are still being written


def ingest_file(path: Path, lake: Lake, *, max_reject_share: float) -> DatasetRef:
    """Turn a landing file into the snapshot `raw/<digest>`; the same bytes give the same one.

    A refused file leaves its rejects in the lake too, under `rejected/`.

    Raises:
        BatchError: the file is unreadable, changed while it was read, or has a larger share of
            unreadable lines than `max_reject_share` (0 to 1).
    """
    digest = _digest(path)
    key = _key(digest)
    known = lake.find(key, DatasetRef)
    if known is not None and _within(lake.manifest(known), max_reject_share):
        return known
    batch = read_alpaca(path)
    if _digest(path) != digest:
        raise BatchError(f"{path} changed while it was read. Wait until it is whole; run again.")
    facts = _facts(path, digest, batch)
    if not _within(facts, max_reject_share):
        refused = _store(batch, "rejected", step_key("refuse", INGEST_VERSION, digest), lake, facts)
        raise BatchError(_refusal(batch, max_reject_share, lake.path(refused)))
    return _store(batch, "raw", key, lake, facts)


def unseen_files(landing: Path, lake: Lake) -> list[Path]:
    """The *.jsonl files of a folder whose content was not ingested before, by name.

    Hidden files and unfinished ones (`.part`, `.tmp`) are ignored, and of files with equal
    content only the first counts. A folder that does not exist holds none.
    """
    unseen: dict[str, Path] = {}
    for path in sorted(landing.glob("*.jsonl")):
        if path.name.startswith(".") or UNFINISHED & set(path.suffixes) or not path.is_file():
            continue
        if not is_ingested(path, lake):
            unseen.setdefault(_digest(path), path)
    return list(unseen.values())


def is_ingested(path: Path, lake: Lake) -> bool:
    """Whether a file's present content is a snapshot already."""
    return lake.find(_key(_digest(path)), DatasetRef) is not None


def snapshots(lake: Lake) -> list[DatasetRef]:
    """All ingested snapshots, ordered by source name, then by the digest of the landing file.

    A file that an older version of this code read as well counts once, as read by the newest.
    """
    newest: dict[str, tuple[int, str, DatasetRef]] = {}
    for memo in sorted((lake.root / "steps").glob("ingest-*.json")):
        ref = DatasetRef.from_json(read_json(memo))
        if not (lake.path(ref) / MANIFEST).exists():
            continue
        facts = lake.manifest(ref)
        entry = (facts["ingest_version"], facts["source"], ref)
        if entry[0] > newest.get(facts["file_digest"], (0,))[0]:
            newest[facts["file_digest"]] = entry
    ordered = sorted(newest.items(), key=lambda item: (item[1][1], item[0]))
    return [ref for _, (_, _, ref) in ordered]


def _key(digest: str) -> str:
    return step_key("ingest", INGEST_VERSION, digest)


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise BatchError(
            f"{path} cannot be read: {error.strerror or error}. "
            "Check the path and its permissions, then run again."
        ) from error


def _facts(path: Path, digest: str, batch: Batch) -> dict[str, Any]:
    return {
        "source": path.name,
        "file_digest": digest,
        "ingest_version": INGEST_VERSION,
        "lines": batch.lines,
        "rows": len(batch.records),
        "rejects": batch.rejects_by_reason,
        "ingested_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _within(facts: dict[str, Any], max_reject_share: float) -> bool:
    rejected = facts["lines"] - facts["rows"]
    return facts["rows"] > 0 and rejected <= max_reject_share * facts["lines"]


def _store(batch: Batch, area: str, key: str, lake: Lake, facts: dict[str, Any]) -> DatasetRef:
    rows = len(batch.records)
    with lake.aside() as folder:
        write_records(folder / "records.parquet", batch.records)
        write_rejects(folder / "rejects.jsonl", batch.rejects)
        return lake.commit(
            folder, area, key, lambda uri, digest: DatasetRef(uri, digest, rows), **facts
        )


def write_rejects(path: Path, rejects: Sequence[Reject]) -> int:
    """Write rejects as JSON Lines; returns how many."""
    return write_json_lines(path, (asdict(reject) for reject in rejects))


def _refusal(batch: Batch, max_reject_share: float, folder: Path) -> str:
    return (
        f"{batch.rejects[0].source}: {len(batch.rejects)} of {batch.lines} lines cannot be read "
        f"(the limit is {max_reject_share:.0%}): {describe_rejects(batch.rejects)}. "
        f"All of them are in {folder / 'rejects.jsonl'}. "
        "Fix the file, or raise data.max_reject_share on purpose."
    )
