"""Run a step in a process of its own, follow its events, and turn what happens into one outcome.

A step with a model in memory runs as `python -m MODULE request.json`. Its memory returns to the
system when it ends, an out-of-memory kill is an ordinary failure of the step, and nothing of it
outlives the parent. The child's side is `run_child`.

    request.json   what to do                     written by the parent
    events.jsonl   progress, one JSON per line    written by the child, followed by the parent
    earlier.jsonl  events of a process before     from which the child keeps what still holds
    result.json    {"ok": …} or {"error": text}   written last by the child
    log.txt        everything the child printed
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

from sluice.errors import SluiceError, StepProcessError
from sluice.how_it_ended import (
    OUT_OF_MEMORY,
    how_it_died,
    is_out_of_memory,
    kernel_kills,
    killed_for_memory,
    said_of,
)
from sluice.lake import read_json, write_json
from sluice.parent_death import die_with_parent

Event = dict[str, Any]
Command = Callable[[str, Path], list[str]]
POLL_SECONDS = 0.25
TERM_SECONDS = 10.0
LOG_TAIL_LINES = 12

REQUEST, EVENTS, RESULT, LOG = "request.json", "events.jsonl", "result.json", "log.txt"
EARLIER = "earlier.jsonl"


def ordinary(module: str, request: Path) -> list[str]:
    """The command line of a module that is one process."""
    return [sys.executable, "-m", module, str(request)]


def run_module(
    module: str,
    request: dict[str, Any],
    work: Path,
    *,
    on_event: Callable[[Event], None],
    timeout_seconds: float,
    error: type[StepProcessError] = StepProcessError,
    command: Command = ordinary,
) -> dict[str, Any]:
    """Run `module` as a process with `request`; returns what it reported as its result.

    `command` makes the command line from the module and the path of the request.

    Events are passed to `on_event` in order, in the calling thread. If the caller is interrupted,
    or the time is over, the whole process group ends before this returns.

    Raises:
        StepProcessError (or `error`): the process failed, was killed, or took too long. Its cause
            (`__cause__`) is a MemoryError where it ran out of memory: less at once may do.
    """
    work.mkdir(parents=True, exist_ok=True)
    write_json(work / REQUEST, request)
    (work / RESULT).unlink(missing_ok=True)
    set_aside(work)
    kills = kernel_kills()
    with (work / LOG).open("ab") as log, _process(command(module, work / REQUEST), log) as process:
        deadline = time.monotonic() + timeout_seconds
        for event in _follow(work / EVENTS, process):
            if event is not None:
                on_event(event)
            elif time.monotonic() > deadline:
                raise error(
                    f"{module} was stopped after {timeout_seconds / 60:.1f} minutes. Raise the "
                    "timeout in the recipe, or give it less to do; finished work is kept."
                )
        return _outcome(module, work, process.wait(), kills, error)


@contextlib.contextmanager
def _process(command: list[str], log: Any) -> Generator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        env=child_environment(),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end_group(process)


# Measured on 2 cores (docs/experiments.md): these decide more of a CPU training's speed than most
# of its settings do.
COMPUTE = {
    # OpenMP's idle threads spin for a moment, then sleep. Endless spinning, the default, takes
    # the core that another process needs; no spinning pays a wake-up for each small operation.
    "GOMP_SPINCOUNT": "20000",
    # oneDNN remembers a kernel for each number of tokens it has seen, each with room for weights in
    # an order of its own. Those of one step are enough; 1024, the default, is half a gigabyte.
    "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
    "TOKENIZERS_PARALLELISM": "false",
    # A child works on local folders only; PEFT would ask the hub about its base all the same.
    "HF_HUB_OFFLINE": "1",
}


def child_environment() -> dict[str, str]:
    """The environment of a child: what the user set wins over what computes well here."""
    return {**COMPUTE, **os.environ, "SLUICE_PARENT": str(os.getpid()), "PYTHONUNBUFFERED": "1"}


def end_group(process: subprocess.Popen[bytes], term_seconds: float = TERM_SECONDS) -> None:
    """End a process and all that it started: SIGTERM first, SIGKILL if that is not enough."""
    for sign, seconds in ((signal.SIGTERM, term_seconds), (signal.SIGKILL, None)):
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # its children may live on without it


def _follow(path: Path, process: subprocess.Popen[bytes]) -> Iterator[Event | None]:
    """Each complete line that appears in the file; None whenever there is nothing new."""
    offset = 0
    while True:
        ended = process.poll() is not None
        if path.exists():
            with path.open("rb") as file:
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    offset += len(line)
                    yield from _events(line)
        if ended:
            return
        yield None
        time.sleep(POLL_SECONDS)


def set_aside(work: Path) -> None:
    """Keep the events of an earlier process out of the way of the new one's.

    What is followed then never shrinks. A process that died before it said anything leaves no
    events; those from before it stay.
    """
    events = work / EVENTS
    if events.exists() and events.stat().st_size:
        events.replace(work / EARLIER)


def _events(lines: bytes) -> list[Event]:
    """The events in some lines; a line that a kill or a full disk cut short is none."""
    events: list[Event] = []
    for line in lines.split(b"\n"):
        with contextlib.suppress(ValueError):
            events.append(json.loads(line))
    return events


def _outcome(
    module: str, work: Path, code: int, kills_before: int, error: type[StepProcessError]
) -> dict[str, Any]:
    killed = kernel_kills() > kills_before  # it, or a process that it had started
    if (work / RESULT).exists():
        result = read_json(work / RESULT)
        if "ok" in result:
            return result["ok"]
        short = killed or result["out_of_memory"]
        raise error(result["error"]) from (MemoryError() if short else None)
    tail = _tail(work)
    short = killed_for_memory(code, tail, killed=killed)
    text = f"{module} {OUT_OF_MEMORY if short else how_it_died(code, tail)} Its last lines are in "
    raise error(f"{text}{work / LOG}:\n{tail}") from (MemoryError() if short else None)


def _tail(work: Path) -> str:
    lines = (work / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_TAIL_LINES:])


class EventWriter:
    """The child's side of the events file: each event is one line, visible at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("a", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        """Append one event, with the time in milliseconds since 1970."""
        timed = {**event, "time_ms": int(time.time() * 1000)}
        self._file.write(json.dumps(timed, ensure_ascii=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file; nothing more can be written."""
        self._file.close()

    def keep(self, wanted: Callable[[Event], bool]) -> None:
        """Take over an earlier process's events, but for those of steps that will be done again.

        They appear all at once: a kill in between leaves the earlier ones where they are.
        """
        if not self._path.is_file():
            return  # the events of this process are kept by nobody
        earlier = self._path.with_name(EARLIER)
        events = _events(earlier.read_bytes()) if earlier.exists() else []
        kept = [json.dumps(event, ensure_ascii=False) for event in filter(wanted, events)]
        aside = self._path.with_name(f".{EARLIER}")
        aside.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        self.close()
        aside.replace(self._path)
        self._file = self._path.open("a", encoding="utf-8")


def run_child(work_on: Callable[[dict[str, Any], EventWriter], dict[str, Any]]) -> None:
    """The main function of a child: read the request, do it, leave one result, exit 0 or 1."""
    die_with_parent(os.environ.get("SLUICE_PARENT"))
    path = Path(sys.argv[1])
    result = path.parent / RESULT
    try:
        with contextlib.closing(EventWriter(path.parent / EVENTS)) as emit:
            done = work_on(read_json(path), emit)
    except Exception as error:
        if not isinstance(error, SluiceError):
            traceback.print_exc()
        short = is_out_of_memory(error)
        write_json(result, {"error": said_of(error, path.parent / LOG), "out_of_memory": short})
        raise SystemExit(1) from error
    write_json(result, {"ok": done})
