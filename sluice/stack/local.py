"""Which servers make the local stack, how each is started, and where that is written down."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from sluice.errors import StackError
from sluice.home import Home
from sluice.lake import read_json, write_json
from sluice.process_lock import only_process
from sluice.recipe import Recipe
from sluice.registry_location import local_store
from sluice.serving.settings import GatewaySettings
from sluice.stack.service import (
    Service,
    free_port,
    require_free,
    start,
    stop,
    wait_until_healthy,
)

HEALTHY_SECONDS = 120.0
# Workers first: nothing new begins while the servers below them go down.
STOP_ORDER = ("watcher", "worker", "gateway", "mlflow", "prefect")
HEALTH = {"prefect": "/api/health", "mlflow": "/health", "gateway": "/health"}


@dataclass(frozen=True, slots=True)
class Stack:
    """The servers that were started, by name."""

    services: dict[str, Service]

    def url(self, name: str) -> str | None:
        """A server's address, if the server runs."""
        service = self.services.get(name)
        return service.url if service is not None and service.process() else None

    def with_service(self, service: Service) -> Stack:
        """The stack with one more server."""
        return Stack({**self.services, service.name: service})


def read_stack(home: Home) -> Stack:
    """The stack as it is now: servers that no longer run are left out."""
    if not home.stack_file.exists():
        return Stack({})
    listed: dict[str, Any] = read_json(home.stack_file)
    services = {name: Service(**fields) for name, fields in listed.items()}
    return Stack({name: service for name, service in services.items() if service.process()})


def save_stack(home: Home, stack: Stack) -> None:
    """Write down which servers run."""
    write_json(home.stack_file, {name: asdict(s) for name, s in stack.services.items()})


def changing(home: Home) -> AbstractContextManager[None]:
    """Only one command at a time starts or stops servers of a home."""
    return only_process(
        home.root / ".stack.lock",
        lambda process: StackError(
            f"Another command is starting or stopping the stack of {home.root} "
            f"(process {process}). Wait for it."
        ),
    )


def prefect_environment(home: Home, url: str) -> dict[str, str]:
    """What a process needs to talk to the stack's Prefect server, or to be it."""
    return {
        "SLUICE_HOME": str(home.root),
        "PREFECT_HOME": str(home.root / "prefect"),
        "PREFECT_API_URL": f"{url}/api",
        "PREFECT_UI_API_URL": f"{url}/api",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        "PREFECT_CLI_PROMPT": "false",
    }


def start_prefect(home: Home) -> Service:
    """Start the Prefect server, with its database in the home."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    environment = prefect_environment(home, url)
    return _start(home, "prefect", command, environment, url)


def start_mlflow(home: Home) -> Service:
    """Start the MLflow server over the home's own store.

    Artifacts are written by clients straight into the home's folder, so that what was logged with
    the server and without it is the same.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    store, artifacts = local_store(home)
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", store, "--default-artifact-root", artifacts.as_uri()]
    command += ["--no-serve-artifacts", "--workers", "1"]
    return _start(home, "mlflow", command, {"SLUICE_HOME": str(home.root)}, url)


def gateway_settings(home: Home, recipe: Recipe, port: int) -> GatewaySettings:
    """What a gateway needs to know of a recipe."""
    model, serving = recipe.model, recipe.serving
    return GatewaySettings(
        home=home.root,
        model=model.name,
        host=serving.host,
        port=port,
        base=model.base,
        revision=model.revision,
        chat_template=model.chat_template,
        trust_remote_code=model.trust_remote_code,
        system_prompt=model.system_prompt,
        max_new_tokens=serving.max_new_tokens,
        smoke_question=serving.smoke_question,
        precision=recipe.training.precision,
        threads=recipe.training.threads,
        log_requests=serving.log_requests,
    )


def start_gateway(home: Home, recipe: Recipe) -> Service:
    """Start the gateway of a recipe's model."""
    port = recipe.serving.port
    if port is not None:
        require_free(port, "gateway (`serving.port`)")
    settings = gateway_settings(home, recipe, port or free_port())
    command = ["-m", "sluice.serving.run_gateway", *settings.arguments()]
    url = f"http://{settings.host}:{settings.port}"
    return _start(home, "gateway", command, {}, url)


@contextlib.contextmanager
def gateway_for_a_while(home: Home, recipe: Recipe) -> Generator[str]:
    """A gateway on a free port, for a promotion or a rollback while no stack runs."""
    anywhere = recipe.serving.model_copy(update={"port": None})
    service = start_gateway(home, recipe.model_copy(update={"serving": anywhere}))
    try:
        wait_for(home, service)
        yield str(service.url)
    finally:
        stop(service)


@contextlib.contextmanager
def registered_gateway(home: Home, settings: GatewaySettings) -> Generator[None]:
    """Let other commands find the gateway that this process runs in the foreground."""
    born = psutil.Process().create_time()
    url = f"http://{settings.host}:{settings.port}"
    others = read_stack(home)
    if "gateway" not in others.services:  # else it will be refused, with its reason
        save_stack(home, others.with_service(Service("gateway", os.getpid(), born, url)))
    try:
        yield
    finally:
        ours = {n: s for n, s in read_stack(home).services.items() if s.pid != os.getpid()}
        save_stack(home, Stack(ours))


def start_worker(home: Home, pool: str, prefect_url: str) -> Service:
    """Start the Prefect worker that runs this home's flows, one process for each run."""
    command = ["-m", "prefect", "worker", "start", "--pool", pool, "--type", "process"]
    environment = prefect_environment(home, prefect_url) | {"PREFECT_WORKER_QUERY_SECONDS": "2"}
    return _start(home, "worker", command, environment, None)


def start_watcher(home: Home, recipe: Path, prefect_url: str) -> Service:
    """Start the watcher that turns fresh files in the landing folder into retrains."""
    command = ["-m", "flows.landing_watch", str(recipe)]
    return _start(home, "watcher", command, prefect_environment(home, prefect_url), None)


def _start(
    home: Home, name: str, arguments: list[str], environment: dict[str, str], url: str | None
) -> Service:
    return start(name, [sys.executable, *arguments], environment, home.logs / f"{name}.log", url)


def wait_for(home: Home, *services: Service) -> None:
    """Wait until each of these servers answers its health check."""
    for service in services:
        health = f"{service.url}{HEALTH[service.name]}"
        wait_until_healthy(service, health, home.logs / f"{service.name}.log", HEALTHY_SECONDS)


def stop_stack(home: Home) -> list[str]:
    """Stop every server of the home; returns the names of those that ran."""
    stack = read_stack(home)
    stopped = [name for name in STOP_ORDER if name in stack.services and stop(stack.services[name])]
    home.stack_file.unlink(missing_ok=True)
    return stopped


def gateway_url(home: Home) -> str | None:
    """The gateway's address: SLUICE_GATEWAY_URL (one in another container), or the stack's."""
    return os.environ.get("SLUICE_GATEWAY_URL") or read_stack(home).url("gateway")


def point_at_stack(home: Home) -> Stack:
    """Let this process and its children use the stack's Prefect and MLflow, where they run."""
    stack = read_stack(home)
    prefect, mlflow = stack.url("prefect"), stack.url("mlflow")
    if prefect:
        os.environ.update(prefect_environment(home, prefect))
    if mlflow:
        os.environ.setdefault("MLFLOW_TRACKING_URI", mlflow)
    return stack
