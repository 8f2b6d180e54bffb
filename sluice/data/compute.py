"""Where the data steps run: the same functions over the same parts, here or on many machines."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Protocol, TypeVar

from sluice.recipe import ComputeSection

T = TypeVar("T")
R = TypeVar("R")
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


class ThisProcess:
    """All items one after the other, in the calling process."""

    def map(self, function: Callable[[T], R], items: Sequence[T], done: Done = untold) -> list[R]:
        """The result of each item."""
        results: list[R] = []
        for item in items:
            results.append(function(item))
            done(len(results), len(items))
        return results


class ThisMachine:
    """Processes of this machine. One item, or one worker, needs no process of its own."""

    def __init__(self, workers: int) -> None:
        """Run on `workers` processes at once."""
        self._workers = workers

    def map(self, function: Callable[[T], R], items: Sequence[T], done: Done = untold) -> list[R]:
        """The result of each item."""
        workers = min(self._workers, len(items))
        if workers <= 1:
            return ThisProcess().map(function, items, done)
        # Not fork: Arrow and Prefect have threads, whose locks a forked child would inherit.
        context = multiprocessing.get_context("spawn")
        results: list[R] = []
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            for result in pool.map(function, items):
                results.append(result)
                done(len(results), len(items))
        return results


def engine_of(section: ComputeSection) -> Engine:
    """The engine that a recipe asks for."""
    if section.engine == "ray":
        from sluice.data.many_machines import ManyMachines

        return ManyMachines(section.address)
    return ThisMachine(section.workers or len(os.sched_getaffinity(0)))
