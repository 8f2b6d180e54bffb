"""How much memory the processes that this one starts need at most."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from types import TracebackType

import psutil

SAMPLE_SECONDS = 0.5  # reading the process table more often would take time from what is measured


class PeakMemory:
    """While it is open, watches all processes below this one.

        with PeakMemory() as memory:
            subprocess.run(...)
        memory.megabytes

    `megabytes` (of 10^6 bytes) is the larger of two: the resident memory of all of them together,
    at the worst sample, and the kernel's own record of the largest one (`VmHWM` in /proc), which
    no sample misses.
    """

    def __init__(self) -> None:
        self.megabytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        here = psutil.Process()
        while not self._over.wait(SAMPLE_SECONDS):
            together = 0
            for process in here.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    together += process.memory_info().rss
                self._note(high_water(process.pid))
            self._note(together)

    def _note(self, seen: int) -> None:
        self.megabytes = max(self.megabytes, seen / 1e6)


def high_water(pid: int) -> int:
    """The most bytes that a process had resident so far; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    lines = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((int(line.split()[1]) * 1024 for line in lines), 0)
