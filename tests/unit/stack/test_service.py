from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from sluice.errors import StackError
from sluice.home import Home
from sluice.stack.local import Stack, changing, read_stack, save_stack, stop_stack
from sluice.stack.service import (
    Service,
    free_port,
    require_free,
    start,
    stop,
    wait_until_healthy,
)

pytestmark = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
SLEEP = "import subprocess, sys, time; print('up', flush=True); time.sleep(60)"
WITH_CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
    " start_new_session=True)\n"
    "print(child.pid, flush=True)\ntime.sleep(60)"
)


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Service]:
    service = start("worker", [sys.executable, "-c", SLEEP], {}, tmp_path / "logs" / "worker.log")
    yield service
    stop(service)


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StackError, match=rf"Port {port} for the gateway is already in use\."):
            require_free(port, "gateway")
    require_free(port, "gateway")
    assert free_port() != 0


def test_a_server_runs_until_it_is_stopped(sleeper: Service) -> None:
    assert sleeper.process() is not None
    assert stop(sleeper)
    assert sleeper.process() is None
    assert not stop(sleeper)


def test_stopping_ends_children_in_sessions_of_their_own(tmp_path: Path) -> None:
    log = tmp_path / "log"
    service = start("worker", [sys.executable, "-c", WITH_CHILD], {}, log)
    while not log.read_text().strip():
        time.sleep(0.02)
    child = psutil.Process(int(log.read_text()))
    assert stop(service)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_process_id_that_was_given_out_again_is_not_killed(sleeper: Service) -> None:
    other = replace(sleeper, born=sleeper.born - 60)
    assert other.process() is None
    assert not stop(other)
    assert sleeper.process() is not None


def test_a_server_that_ends_while_starting_shows_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    service = start("gateway", [sys.executable, "-c", "raise SystemExit('no model')"], {}, log)
    with pytest.raises(StackError, match=r"(?s)The gateway ended while starting\..*no model"):
        wait_until_healthy(service, "http://127.0.0.1:9/health", log, 10)


def test_a_server_that_never_answers_is_given_up(sleeper: Service, tmp_path: Path) -> None:
    health = f"http://127.0.0.1:{free_port()}/health"
    with pytest.raises(StackError, match=rf"did not answer at {health} within 1 s"):
        wait_until_healthy(sleeper, health, tmp_path / "logs" / "worker.log", 0.6)


def test_what_was_started_is_remembered_and_what_died_is_left_out(
    sleeper: Service, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    dead = Service("mlflow", os.getpid(), born=1.0, url="http://127.0.0.1:1")
    save_stack(home, Stack({"worker": sleeper, "mlflow": dead}))
    assert read_stack(home) == Stack({"worker": sleeper})
    assert read_stack(home).url("mlflow") is None
    assert stop_stack(home) == ["worker"]
    assert stop_stack(home) == []
    assert not home.stack_file.exists()


def test_two_commands_do_not_change_a_stack_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sluice.home import Home\n"
        "from sluice.stack.local import changing\n"
        "with changing(Home(Path(sys.argv[1]))): pass"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with changing(Home(tmp_path)):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "StackError: Another command is starting or stopping the stack" in done.stderr
    assert subprocess.run(command, check=False).returncode == 0
