"""Run a gateway: `python -m sluice.serving.run_gateway --home DIR --model NAME …`.

It prints one line with its address once it listens. SIGTERM and ctrl-C let the answers that are
under way finish, for some seconds, and end it with code 0. Code 1 with one clear line on standard
error means that it could not start: the port is in use, or the home has a gateway already.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sluice.errors import ServingError, SluiceError
from sluice.process_lock import only_process
from sluice.serving.settings import GatewaySettings

GRACE_SECONDS = 10
BACKLOG = 256
LOCK_FILE = "gateway.lock"
QUIET = {
    # Waiting threads sleep instead of spinning. On two cores, beside one other busy process, this
    # took generation with two threads from 1.3 to 10.6 tokens/s (135M parameters, bf16).
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to stop; returns the exit code."""
    settings = GatewaySettings.from_arguments(arguments)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # It warns that it could not fetch a kernel from the hub, which nobody wants it to.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", FutureWarning)  # of PEFT about transformers: not ours to mend
    try:
        with _only_gateway(settings.home_layout.serving), _listening(settings) as listener:
            _serve(settings, listener)
    except SluiceError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - what a person reads
        return error.exit_code
    return 0


def _only_gateway(folder: Path) -> AbstractContextManager[None]:
    # Two gateways of one home would overwrite each other's pointer.
    return only_process(
        folder / LOCK_FILE,
        lambda process: ServingError(
            f"{folder.parent} has a gateway already (process {process}). "
            "Use that one, or stop it first (`sluice down`)."
        ),
    )


@contextlib.contextmanager
def _listening(settings: GatewaySettings) -> Generator[socket.socket]:
    # Bound before torch is imported: a port in use is told at once, and clients that come early
    # wait in the backlog instead of being turned away.
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(BACKLOG)
        except OSError as error:
            raise ServingError(
                f"The gateway cannot listen on {settings.host}:{settings.port}: {error.strerror}. "
                "Stop what uses that port, or choose another in `serving.port` (none: any free "
                "one)."
            ) from error
        yield listener


def _serve(settings: GatewaySettings, listener: socket.socket) -> None:
    import uvicorn

    from sluice.serving.gateway import create_app
    from sluice.serving.transformers_engine import TransformersEngine

    class Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets=sockets)
            _announce(settings, listener)

    app = create_app(settings, TransformersEngine(settings))
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    # uvicorn repeats the signal to these handlers when it is done: ending on demand is no failure.
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda number, frame: None)
    Server(config).run(sockets=[listener])


def _announce(settings: GatewaySettings, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"Sluice gateway for {settings.model}: http://{shown}:{port}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
