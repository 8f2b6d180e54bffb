"""What a training ran on and with: enough to do it again, and to tell why it comes out otherwise.

It stands in the manifest of the model, beside the files: equal inputs give equal bytes, whoever
computed them, and when.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, cast

import psutil

import sluice
from sluice.data.funnel import Trail
from sluice.lake import Lake, file_digest
from sluice.recipe import Recipe
from sluice.refs import DatasetRef, ModelRef
from sluice.training.base_model import BaseModel

PROVENANCE: Final = "provenance"  # its key in the manifest
LIBRARIES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "accelerate",
    "bitsandbytes",
    "tokenizers",
    "safetensors",
    "numpy",
    "pyarrow",
)
GIT_SECONDS = 10.0
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")  # whoever reads a manifest needs no passwords


def provenance(
    dataset: DatasetRef,
    recipe: Recipe,
    base: BaseModel,
    start: ModelRef | None,
    trail: Trail | None,
    lake: Lake,
    environment: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """All that a training depended on, JSON-ready.

    Args:
        dataset: what it was trained on.
        recipe: the whole recipe; passwords in its addresses are left out.
        base: the base model.
        start: the trained model that it went on from.
        trail: the data sets that led to `dataset`, where they are known. Without them the model
            can be trained again, but its data cannot be made again.
        lake: where they lie.
        environment: what `environment()` said in the process that trained; None: asked here.
    """
    return {
        "recipe": _without_logins(recipe.model_dump(mode="json")),
        "seed": recipe.training.seed,
        "base": base.digest,
        "start": start.to_json() if start else None,
        "dataset": dataset.to_json(),
        "data": _data(trail, lake) if trail else None,
        "held_out": held_out_digests(recipe),
        "environment": environment or environment_here(),
        "code": code(),
    }


def environment_here() -> dict[str, Any]:
    """Versions, machine and threads, as this process has them.

    GPUs are told where PyTorch is loaded already: asking it costs seconds.
    """
    return {"versions": versions(), "machine": machine(), "threads": _threads()}


def versions() -> dict[str, str]:
    """Versions of Python, of Sluice, and of the libraries that decide what a training computes."""
    found = {"python": platform.python_version(), "sluice": sluice.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The processor, cores that may be used, memory in bytes, GPUs and operating system."""
    return {
        "processor": _processor(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": psutil.virtual_memory().total,
        "gpus": _gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "c_library": " ".join(platform.libc_ver()),
    }


def code() -> dict[str, Any] | None:
    """The commit that Sluice runs from, and whether files differ from it; None if no checkout."""
    root = Path(sluice.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changed is None:
        return None
    return {"commit": commit, "changed": bool(changed)}


def held_out_digests(recipe: Recipe) -> dict[str, str | None]:
    """The digest of the evaluation file and of each guard, by path; None where it is not there.

    No model trains on their rows, and rows that resemble them leave: their bytes decide the data.
    """
    files = (recipe.data.evaluation, *recipe.data.guards)
    return {str(path): file_digest(path) if path.exists() else None for path in files if path}


def _data(trail: Trail, lake: Lake) -> dict[str, Any]:
    stages = {
        "raw": trail.snapshots,
        "checked": trail.checked,
        "cleaned": trail.cleaned,
        "compared": (trail.compared,),
        "curated": (trail.curated,),
        "contracted": (trail.contracted,),
    }
    listed = {name: [ref.to_json() for ref in refs] for name, refs in stages.items()}
    return {**listed, "drift": lake.manifest(trail.contracted).get("drift")}


def _threads() -> dict[str, int | str | None]:
    torch = _torch()
    return {
        "torch": int(torch.get_num_threads()) if torch is not None else None,
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
    }


def _gpus() -> list[str]:
    torch = _torch()
    if torch is None or not torch.cuda.is_available():
        return []
    return [str(torch.cuda.get_device_name(i)) for i in range(torch.cuda.device_count())]


def _torch() -> Any:
    return sys.modules.get("torch")


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):  # no git, or not ours to ask
        return None
    return done.stdout.strip()


def _without_logins(value: Any) -> Any:
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _without_logins(one) for name, one in fields.items()}
    if isinstance(value, list):
        return [_without_logins(one) for one in cast("list[Any]", value)]
    return _LOGIN.sub("***@", value) if isinstance(value, str) else value
