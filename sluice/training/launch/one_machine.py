"""Several processes on this machine, through `accelerate launch`.

Runs as `python -m sluice.training.launch.one_machine REQUEST`, and is the parent of the training
processes: they die with it, and it dies with whoever asked for the training.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import accelerate.commands.launch  # pyright: ignore[reportMissingTypeStubs]
import torch
import yaml
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from sluice.child_process import REQUEST, EventWriter, run_child
from sluice.training.launch.devices import require_devices
from sluice.training.launch.outcome import facts_of_first, failure, forget_earlier
from sluice.training.request import TrainingRequest

accelerate_launch: Any = accelerate.commands.launch  # not typed
MEMBER = "sluice.training.launch.member"
CONFIG = "accelerate.yaml"


def launch(fields: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Start the processes, wait for all of them, and return what the first one reports.

    Raises:
        TrainingError: a process failed or was killed; the others were stopped.
    """
    request = TrainingRequest.from_json(fields)
    work, processes = Path(request.work), request.settings.launcher.processes
    gpus = torch.cuda.device_count()
    require_devices(request.settings.launcher, gpus, "this machine")
    forget_earlier(work)
    config = write_config(work, processes, cpu=gpus == 0)
    os.environ["SLUICE_PARENT"] = str(os.getpid())  # for the members: this process is theirs
    arguments = ["--config_file", str(config), "-m", MEMBER, str(work / REQUEST)]
    parsed = accelerate_launch.launch_command_parser().parse_args(arguments)
    try:
        accelerate_launch.launch_command(parsed)
    except ChildFailedError as error:
        failed = _failed(error)
    else:
        return facts_of_first(work)
    raise failure(work, processes, failed)


def write_config(work: Path, processes: int, *, cpu: bool) -> Path:
    """Write the configuration that `accelerate launch --config_file` reads; returns its path.

    How the model is shared is not in it: the trainer's own arguments say that (`sharing`), so that
    a cluster does the same.
    """
    path = work / CONFIG
    config = {
        "compute_environment": "LOCAL_MACHINE",
        # Also on CPUs: accelerate's way for those is mpirun, which few have; this one is torchrun.
        "distributed_type": "MULTI_GPU",
        "use_cpu": cpu,
        "num_machines": 1,
        "machine_rank": 0,
        "num_processes": processes,
        "main_process_port": 0,  # any free one: several trainings may run at once
        "mixed_precision": "no",  # `arguments` decides the number type
    }
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def _failed(error: Any) -> dict[int, str | None]:
    """The processes that failed, in time order, with the name of the signal that killed each."""
    failures = sorted(error.failures.items(), key=lambda item: item[1].timestamp)
    return {
        int(number): one.signal_name() if one.exitcode < 0 else None for number, one in failures
    }


if __name__ == "__main__":
    run_child(launch)
