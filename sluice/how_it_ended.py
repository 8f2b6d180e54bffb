"""Why a process ended: what its error says about memory and disk, and what the kernel counts."""

from __future__ import annotations

import errno
import signal
from pathlib import Path

from sluice.errors import SluiceError

_MEMORY_WORDS = (
    "can't allocate memory",  # torch on a CPU
    "out of memory",  # CUDA, bitsandbytes
    "bad_alloc",  # C++
    "cannot allocate memory",  # the system's own words
    "mmap failed",
)
# What safetensors and torch say when a write fails: they raise errors of their own, not OSError.
_DISK_WORDS = ("no space left on device", "os error 28", "file too large", "os error 27")
_TORCH_WRITE = ("pytorchstreamwriter failed", "inline_container", "iostream error")
_DISK_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or the one that it came from, is a failed allocation."""
    said = str(error).lower()
    return (
        (error.__cause__ is not None and is_out_of_memory(error.__cause__))
        or isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"  # torch's, which is not imported here
        or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
        or (isinstance(error, RuntimeError | OSError) and any(w in said for w in _MEMORY_WORDS))
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether an error is a write that found no room: disk, quota or the limit of a file's size."""
    if isinstance(error, OSError) and error.errno in _DISK_CODES:
        return True
    said = str(error).lower()
    return any(words in said for words in _DISK_WORDS + _TORCH_WRITE)


def killed_for_memory(code: int, last_lines: str, *, killed: bool) -> bool:
    """Whether a process that left no result ran out of memory.

    Args:
        code: its exit code; negative where a signal ended it.
        last_lines: the end of its log.
        killed: whether the kernel has killed for memory since it began (`kernel_kills`).
    """
    if code == -signal.SIGABRT:
        return "bad_alloc" in last_lines
    # A launcher that lost one of its processes ends by itself, with a code of its own.
    return killed and (code == -signal.SIGKILL or code > 0)


def kernel_kills() -> int:
    """How often the kernel has killed for memory: on this machine, and in this control group.

    Source: `oom_kill` in /proc/vmstat and in a control group's memory.events (kernel
    documentation, admin-guide/cgroup-v2).
    """
    return sum(_counted(path) for path in (Path("/proc/vmstat"), *_group_files()))


def _counted(path: Path) -> int:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def _group_files() -> list[Path]:
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    root = Path("/sys/fs/cgroup")
    found = [root / "memory.events", root / "memory" / "memory.oom_control"]
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        below = path.lstrip("/")
        if not controllers and below:
            found.append(root / below / "memory.events")
    return found


_LESS = (
    "lower `training.batch_size` or `evaluation.batch_size`, then run again; it continues from the "
    "last checkpoint."
)
OUT_OF_MEMORY = f"was ended because the machine ran out of memory: {_LESS}"


def how_it_died(code: int, last_lines: str) -> str:
    """What exit code (negative for a signal) and log say of a process that left no result."""
    if any(words in last_lines.lower() for words in _DISK_WORDS):
        return (
            "could not even write why it ended: the disk is full. Free some space, then run again."
        )
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL). If nobody did that, the machine ran out of memory: " + _LESS
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}. Run again to continue."
    return f"ended with exit code {code} and no result. Mend what its log names, then run again."


def said_of(error: Exception, log: Path) -> str:
    """An error in words for a person; `log` is where all that the process printed is."""
    if isinstance(error, SluiceError):
        return str(error)
    if is_disk_full(error):
        where = getattr(error, "filename", None) or log.parent
        return (
            f"The disk is full ({where}). Free some space, then run again: finished steps and "
            "checkpoints are kept."
        )
    if is_out_of_memory(error):
        return f"It ran out of memory ({_first_line(error)}): {_LESS}"
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or 'a file'}. See {log}."
    return f"{type(error).__name__}: {error}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
