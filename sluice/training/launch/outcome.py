"""What became of several processes, as one result or one explanation."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice.errors import TrainingError
from sluice.lake import read_json

# What launchers send to the processes that are still there once one of them has failed.
STOPPED_BY_US = frozenset({"SIGTERM", "SIGINT"})
# What gloo and NCCL say in a process whose partner is gone: not a cause.
LOST_PARTNER = (
    "connection reset by peer",
    "connection closed by peer",
    "connection refused",
    "broken pipe",
    "remote process exited",
)


def member_file(work: Path, number: int) -> Path:
    """Where a process leaves what became of it."""
    return work / f"member-{number}.json"


def forget_earlier(work: Path) -> None:
    """Remove what the processes of an earlier attempt left."""
    for path in work.glob("member-*.json"):
        path.unlink()


def facts_of_first(work: Path) -> dict[str, Any]:
    """What the first process reported at its end.

    Raises:
        TrainingError: it reported nothing.
    """
    left = _left(work, 0)
    if "ok" not in left:
        raise TrainingError(
            f"All training processes ended, but the first one left no result in {work}. "
            "Look into its log, then run again: it continues from the last checkpoint."
        )
    return left["ok"]


def failure(work: Path, count: int, failed: Mapping[int, str | None]) -> TrainingError:
    """Why a training of `count` processes ended: the cause, not what followed from it.

    Args:
        failed: the processes that failed, first ones first, each with the name of the signal or
            the system's words where it was killed, else None.
    """
    for number, killed in failed.items():
        if killed is not None and killed not in STOPPED_BY_US:
            return _killed(number, count, killed)
    reports = {number: _left(work, number) for number in [*failed, *range(count)]}
    for left in reports.values():
        if left.get("explained"):
            return _with_cause(TrainingError(str(left["error"])), left)
    said = {number: left for number, left in reports.items() if "error" in left}
    for number, left in said.items():
        if not _lost_its_partner(left):
            return _failed(number, count, left)
    silent = next((number for number in reports if number not in said), None)
    if silent is not None:
        return _killed(silent, count, "it ended without a word")
    return _failed(*next((number, count, left) for number, left in said.items()))


def _lost_its_partner(left: dict[str, Any]) -> bool:
    text = str(left["error"]).lower()
    return any(words in text for words in LOST_PARTNER)


def _failed(number: int, count: int, left: dict[str, Any]) -> TrainingError:
    text = (
        f"Training process {number} of {count} (counted from 0) failed: {left['error']}. The "
        "others were stopped. Mend what the log names, then run again: it continues from the last "
        "checkpoint."
    )
    return _with_cause(TrainingError(text), left)


def _killed(number: int, count: int, how: str) -> TrainingError:
    return TrainingError(
        f"Training process {number} of {count} (counted from 0) was killed ({how}); the others "
        "were stopped. If nobody did that, its machine ran out of memory: lower "
        "`training.batch_size`, or share the model (`training.launcher.strategy`). Run again: it "
        "continues from the last checkpoint."
    )


def _with_cause(error: TrainingError, left: dict[str, Any]) -> TrainingError:
    """The same error; it comes from a MemoryError where the process ran out of memory."""
    error.__cause__ = MemoryError() if left.get("out_of_memory") else None
    return error


def _left(work: Path, number: int) -> dict[str, Any]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        return read_json(member_file(work, number))
    return {}
