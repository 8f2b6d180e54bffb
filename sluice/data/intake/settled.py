"""Files that are still being written wait: they must keep their size and time for a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

Stamp = tuple[int, int]


def settled_files(
    paths: Sequence[Path],
    seconds: float,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Path]:
    """Those of the files that kept their size and time for so many seconds.

    Waits for files that changed a moment ago, together and once: no longer than `seconds`. One
    that changed again meanwhile, or went, is left out.
    """
    before = {path: stamp for path in paths if (stamp := _stamp(path))}
    wait = max((_left(stamp, seconds, now()) for stamp in before.values()), default=0.0)
    if wait > 0:
        sleep(wait)
    return [path for path, stamp in before.items() if wait <= 0 or _stamp(path) == stamp]


def _left(stamp: Stamp, seconds: float, now: float) -> float:
    # A time in the future is another machine's clock: then its own age says nothing.
    age = max(0.0, now - stamp[1] / 1e9)
    return max(0.0, seconds - age)


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
