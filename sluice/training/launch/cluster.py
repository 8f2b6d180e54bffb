"""Many machines, through Ray Train; the extra `sluice-train[ray]` installs it.

Runs as `python -m sluice.training.launch.cluster REQUEST`. Lake, cache and base model must lie
where all machines reach them, under the same path.
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from sluice.child_process import COMPUTE, EventWriter, run_child
from sluice.errors import TrainingError
from sluice.recipe import LauncherSection
from sluice.training.launch.devices import require_devices
from sluice.training.launch.outcome import facts_of_first, failure, forget_earlier
from sluice.training.request import TrainingRequest

STORAGE = "ray"  # what Ray Train keeps of a run; ours is beside it


def launch(fields: dict[str, Any], emit: EventWriter) -> dict[str, Any]:
    """Train on a Ray cluster, and return what the first process reports.

    Raises:
        TrainingError: Ray is missing or does not answer, the cluster is too small, or a process
            failed or was killed; the others were stopped.
    """
    request = TrainingRequest.from_json(fields)
    work, launcher = Path(request.work), request.settings.launcher
    ray, ray_train = _modules()
    forget_earlier(work)
    _connect(ray, launcher.address)
    try:
        on_gpu = _room(ray.cluster_resources(), launcher)
        trainer = _trainer(ray_train, fields, work, launcher.processes, on_gpu)
        trainer.fit()
    except ray_train.WorkerGroupError as error:
        failed = _failed(ray, error)
    else:
        return facts_of_first(work)
    finally:
        ray.shutdown()
    raise failure(work, launcher.processes, failed)


def _trainer(ray_train: Any, fields: dict[str, Any], work: Path, count: int, on_gpu: bool) -> Any:
    torch_train: Any = importlib.import_module("ray.train.torch")
    return torch_train.TorchTrainer(
        take_part_in_cluster,
        train_loop_config={"fields": fields, "work": str(work)},
        scaling_config=ray_train.ScalingConfig(num_workers=count, use_gpu=on_gpu),
        torch_config=torch_train.TorchConfig(backend="cuda:nccl,cpu:gloo" if on_gpu else "gloo"),
        run_config=ray_train.RunConfig(
            name=work.name,
            storage_path=str((work / STORAGE).absolute()),
            # A failure ends the run: our own checkpoints, verified, are what the next one takes.
            failure_config=ray_train.FailureConfig(max_failures=0),
            worker_runtime_env={"env_vars": environment(dict(os.environ))},
        ),
    )


def take_part_in_cluster(config: dict[str, Any]) -> None:
    """What each process of the cluster runs; Ray has joined it to the others."""
    from sluice.training.launch.member import take_part

    take_part(config["fields"], Path(config["work"]))


def environment(mine: dict[str, str]) -> dict[str, str]:
    """The environment of the cluster's processes: what computes well, and where code is found."""
    kept = {name: mine[name] for name in ("PYTHONPATH", *COMPUTE) if name in mine}
    return {**COMPUTE, **kept}


def _room(resources: dict[str, float], launcher: LauncherSection) -> bool:
    """Whether the processes train on GPUs.

    Raises:
        TrainingError: the cluster has too few GPUs, or with none too few cores.
    """
    gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    require_devices(launcher, gpus, "the Ray cluster")
    if gpus == 0 and launcher.processes > cores:
        raise TrainingError(
            f"`training.launcher.processes` is {launcher.processes}, but the Ray cluster has "
            f"{cores} CPU cores; each process needs its own. Set it to {cores}, or add machines "
            "(`ray start --address=…`)."
        )
    return gpus > 0


def _modules() -> tuple[Any, Any]:
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")
    try:
        return importlib.import_module("ray"), importlib.import_module("ray.train")
    except ImportError as error:
        raise TrainingError(
            "`training.launcher.kind` is `ray`, but Ray is not installed. Run "
            "`pip install 'sluice-train[ray]'`, or set the kind to `accelerate` or `local`."
        ) from error


def _connect(ray: Any, address: str | None) -> None:
    try:
        # "local": a cluster of this process, even where another one runs on the machine.
        ray.init(address=address or "local", include_dashboard=False, logging_level="ERROR")
    except ConnectionError as error:
        raise TrainingError(
            f"No Ray cluster answers at {address}: {error}. Start one (`ray start --head`), or "
            "set `training.launcher.kind` to `accelerate` or `local`."
        ) from error


def _failed(ray: Any, error: Any) -> dict[int, str | None]:
    """The processes that failed, those that died first: the others then lost their partner."""
    causes = {
        int(number): getattr(one, "health_check_failure", one)  # Ray Train's wrapping
        for number, one in error.worker_failures.items()
    }
    died = ray.exceptions.RayActorError
    return {
        number: "its process died" if isinstance(cause, died) else None
        for number, cause in causes.items()
    }


if __name__ == "__main__":
    run_child(launch)
