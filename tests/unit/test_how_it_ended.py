from __future__ import annotations

import errno
import signal

import pytest
import torch

from sluice.errors import TrainingError
from sluice.how_it_ended import is_disk_full, is_out_of_memory, kernel_kills, killed_for_memory


def test_a_failed_allocation_of_torch_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 62, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    explained = TrainingError("No memory.")
    explained.__cause__ = caught.value
    assert is_out_of_memory(explained)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_so_are_these(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_disk_full(error)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large"),
        RuntimeError("basic_ios::clear: iostream error"),  # torch.save's, on a full disk
        RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"),
        Exception("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_write_without_room_is_a_full_disk(error: Exception) -> None:
    assert is_disk_full(error)
    assert not is_out_of_memory(error)


def test_other_errors_are_neither() -> None:
    for error in (ValueError("out of memory is a phrase"), RuntimeError("shapes differ")):
        assert not is_out_of_memory(error)
        assert not is_disk_full(error)


def test_a_kill_is_for_memory_only_if_the_kernel_has_counted_one() -> None:
    assert killed_for_memory(-signal.SIGKILL, "", killed=True)
    assert not killed_for_memory(-signal.SIGKILL, "", killed=False)
    assert killed_for_memory(1, "", killed=True)  # a launcher that lost one of its processes
    assert not killed_for_memory(-signal.SIGTERM, "", killed=True)
    assert killed_for_memory(-signal.SIGABRT, "terminate called: std::bad_alloc", killed=False)
    assert kernel_kills() >= 0
