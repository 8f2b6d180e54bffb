"""What one of several training processes knows of the others, and does together with them.

Alone, each of these does nothing: the trainer calls them whichever launcher started it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed

T = TypeVar("T")
distributed: Any = torch.distributed  # typed in part only
# A validation or a save on the first process may keep the others waiting.
PATIENCE = timedelta(hours=2)


def count() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def number() -> int:
    """Which of them this one is, from 0."""
    return int(os.environ.get("RANK", "0"))


def count_here() -> int:
    """How many of them share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_first() -> bool:
    """Whether this is the one that reports, seals checkpoints and saves the model."""
    return number() == 0


def join(device: str) -> None:
    """Meet the others; `device` is cpu or cuda. Each process has a GPU of its own."""
    if count() == 1 or distributed.is_initialized():
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    backend = "cuda:nccl,cpu:gloo" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=PATIENCE)


def leave() -> None:
    """Part from the others."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def wait_for_all() -> None:
    """Return once every process has come here."""
    if count() > 1:
        distributed.barrier()


def from_first(value_of: Callable[[], T]) -> T:
    """What the first process finds, on every process; only the first one looks."""
    found: list[Any] = [value_of() if is_first() else None]
    if count() > 1:
        distributed.broadcast_object_list(found, src=0)
    return found[0]
