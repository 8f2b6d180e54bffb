"""Where the data steps run: the same functions over the same parts, here or on many machines."""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, Protocol, TypeVar

import pyarrow  # pyright: ignore[reportMissingTypeStubs]

from sluice.child_process import die_with_parent
from sluice.recipe import ComputeSection

pa: Any = pyarrow  # not typed

T = TypeVar("T")
R = TypeVar("R")
INLINE_SECONDS = 2.0  # a process of its own takes as long to start and to import what it needs

Done = Callable[[int, int], None]  # how many items are done, of how many


class Engine(Protocol):
    """Runs a function over items, in any order and any place, and returns results in order.

    Function and items are pickled: a function of a module, or a `functools.partial` of one. Items
    name files; bytes do not travel through the caller.
    """

    def map(self, function: Callable[[T], R], items: Sequence[T], done: Done = ...) -> list[R]:
        """The result of each item."""
        ...


def untold(_done: int, _of: int) -> None:
    """Nobody wants to know."""


def uninterrupted(function: Callable[[T], R], item: T) -> R:
    """Call a function without looking for garbage meanwhile.

    A part makes millions of small objects and hardly a cycle: the search took a quarter of the
    time and found nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return function(item)
    finally:
        if was_enabled:
            gc.enable()
        pa.default_memory_pool().release_unused()  # the next part needs other sizes


class ThisProcess:
    """All items one after the other, in the calling process."""

    def map(self, function: Callable[[T], R], items: Sequence[T], done: Done = untold) -> list[R]:
        """The result of each item."""
        results: list[R] = []
        for item in items:
            results.append(uninterrupted(function, item))
            done(len(results), len(items))
        return results


class ThisMachine:
    """Processes of this machine, as soon as there is work enough for them.

    Items run in the calling process until they have taken `INLINE_SECONDS` together; what is left
    then goes to the processes, which stay for the next call.
    """

    def __init__(self, workers: int) -> None:
        """Run on `workers` processes at once."""
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(self, function: Callable[[T], R], items: Sequence[T], done: Done = untold) -> list[R]:
        """The result of each item."""
        results: list[R] = []
        started = time.monotonic()
        for item in items:
            if self._workers > 1 and time.monotonic() - started > INLINE_SECONDS:
                break
            results.append(uninterrupted(function, item))
            done(len(results), len(items))
        for result in self._elsewhere(function, items[len(results) :]):
            results.append(result)
            done(len(results), len(items))
        return results

    def _elsewhere(self, function: Callable[[T], R], items: Sequence[T]) -> Iterable[R]:
        if not items:
            return ()
        if self._pool is None:
            # Not fork: Arrow and Prefect have threads, whose locks a forked child would inherit.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._workers,
                mp_context=context,
                initializer=die_with_parent,
                initargs=(str(os.getpid()),),
            )
        return self._pool.map(partial(uninterrupted, function), items)


def engine_of(section: ComputeSection) -> Engine:
    """The engine that a recipe asks for."""
    if section.engine == "ray":
        from sluice.data.many_machines import ManyMachines

        return ManyMachines(section.address)
    return ThisMachine(section.workers or len(os.sched_getaffinity(0)))
