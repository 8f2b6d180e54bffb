"""No process outlives the one that asked for it, however that one ended."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import threading
from pathlib import Path

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: str | None) -> None:
    """Ask Linux to kill this process when its parent dies, so that kill -9 leaves no strays.

    `parent` is the id of the process that started it, if that is known. Where a launcher stands
    between the two, which outlives its own parent, this process watches that one as well.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != int(parent):
        threading.Thread(target=_die_after, args=(int(parent),), daemon=True).start()


def _die_after(ancestor: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it died before we asked
        if ancestor in _ancestors():
            select.select([os.pidfd_open(ancestor)], [], [])
    os.kill(os.getpid(), signal.SIGKILL)


def _ancestors() -> list[int]:
    found = [os.getppid()]
    while found[-1] > 1:
        stat = Path(f"/proc/{found[-1]}/stat").read_text(encoding="utf-8", errors="replace")
        found.append(int(stat.rpartition(")")[2].split()[1]))  # the name before may hold anything
    return found
