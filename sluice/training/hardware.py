"""What this machine can compute with, as far as a training's choices depend on it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

cuda: Any = torch.cuda  # typed in part only
COMPILERS = ("c++", "g++", "clang++")  # what torch's compiler looks for on a CPU


@dataclass(frozen=True, slots=True)
class Machine:
    """One process's view.

    `memory` and `gpu_memory` are bytes that are free: of the main memory, and of this process's
    GPU. `capability` is that of the GPU (compute capability, as in NVIDIA's tables), and
    `flash_attention` the versions whose package is installed. `processes` share this machine.
    """

    cores: int
    memory: int
    cpu_flags: frozenset[str] = frozenset()
    gpus: int = 0
    gpu_memory: int = 0
    capability: tuple[int, int] | None = None
    flash_attention: tuple[int, ...] = ()
    compiler: bool = False
    processes: int = 1

    @property
    def device(self) -> str:
        """cuda or cpu."""
        return "cuda" if self.gpus else "cpu"

    @property
    def computes_bf16(self) -> bool:
        """Whether the device multiplies bf16 itself: Ampere and later, AMX or AVX-512 BF16.

        Sources: CUDA C++ programming guide, table of arithmetic by compute capability (8.0);
        Intel's instruction set reference.
        """
        if self.capability is not None:
            return self.capability >= (8, 0)
        return bool(self.cpu_flags & {"amx_bf16", "avx512_bf16"})

    @property
    def device_memory(self) -> int:
        """Free bytes where the model is: on the GPU, or this process's share of the machine."""
        return self.gpu_memory if self.gpus else self.memory // self.processes


def probed(processes: int = 1) -> Machine:
    """This machine, of which `processes` training processes take their share."""
    on_gpu = bool(cuda.is_available())
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory=int(psutil.virtual_memory().available),
        cpu_flags=_cpu_flags(),
        gpus=int(cuda.device_count()) if on_gpu else 0,
        gpu_memory=int(cuda.mem_get_info()[0]) if on_gpu else 0,
        capability=tuple(cuda.get_device_capability()) if on_gpu else None,
        flash_attention=_flash_attention(),
        compiler=any(shutil.which(name) for name in COMPILERS),
        processes=processes,
    )


def chosen_precision(precision: str) -> str:
    """`fp32` or `bf16`; `auto` is bf16 where this machine computes in it, else fp32."""
    if precision != "auto":
        return precision
    return "bf16" if probed().computes_bf16 else "fp32"


def _flash_attention() -> tuple[int, ...]:
    packages = {2: "flash_attn", 3: "flash_attn_interface"}
    return tuple(n for n, name in packages.items() if importlib.util.find_spec(name) is not None)


def _cpu_flags() -> frozenset[str]:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return frozenset()
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    return frozenset(next((x for x in lines if x.startswith("flags")), "").split())
