"""One server process: start it, wait until it answers, stop it and all that it started."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from sluice.errors import StackError
from sluice.home import cache_dir

POLL_SECONDS = 0.2
STOP_SECONDS = 15.0
LOG_TAIL_LINES = 8


@dataclass(frozen=True, slots=True)
class Service:
    """A running server. `born` is its process's start time: a reused id is told apart by it."""

    name: str
    pid: int
    born: float
    url: str | None

    def process(self) -> psutil.Process | None:
        """The process, if it still runs and is the same one."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.born) < 1.0
            if same and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def free_port() -> int:
    """A port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free(port: int, what: str) -> None:
    """Refuse early, and by name, a port that is taken.

    Raises:
        StackError: something listens on it.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise StackError(
                    f"Port {port} for the {what} cannot be opened ({error.strerror}). Choose "
                    "another port; those below 1024 belong to the administrator."
                ) from error
            raise StackError(
                f"Port {port} for the {what} is already in use. Stop what listens there "
                f"(`ss -ltnp | grep {port}` shows it), or choose another port."
            ) from error


def start(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    url: str | None = None,
) -> Service:
    """Start a server detached from this terminal, its output appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Paths that are relative here would name other folders there.
            env={**os.environ, "SLUICE_CACHE": str(cache_dir()), **environment},
            cwd=log.parent,
            start_new_session=True,
        )
    return Service(name, process.pid, psutil.Process(process.pid).create_time(), url)


def wait_until_healthy(service: Service, health: str, log: Path, seconds: float) -> None:
    """Wait until `health` answers with success.

    Raises:
        StackError: the process ended, or did not answer in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if service.process() is None:
            raise StackError(f"The {service.name} ended while starting. {_tail(log)}")
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(health, timeout=2.0, trust_env=False).is_success:
                return
        time.sleep(POLL_SECONDS)
    raise StackError(
        f"The {service.name} did not answer at {health} within {seconds:.0f} s. {_tail(log)}"
    )


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return f"Its last lines ({log}):\n" + "\n".join(lines[-LOG_TAIL_LINES:])


def stop(service: Service) -> bool:
    """End a server and its children: SIGTERM, then SIGKILL. False if it was not running."""
    process = service.process()
    if process is None:
        return False
    family = [process]
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        family += process.children(recursive=True)
        os.killpg(service.pid, signal.SIGTERM)
    for child in family[1:]:  # some are in sessions of their own
        with contextlib.suppress(psutil.NoSuchProcess):
            child.terminate()
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for survivor in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            survivor.kill()
    psutil.wait_procs(alive, timeout=STOP_SECONDS)
    return True
