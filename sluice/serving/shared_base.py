"""One base model in memory and the adapters of many versions that share its weights."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator
from pathlib import Path
from typing import Any

from sluice.training.loading import load_base, load_tokenizer, with_adapter


class SharedBase:
    """A base model and its adapters. Used by one thread at a time: adapters are switched in place.

    Attributes:
        digest: of the base model.
        tokenizer: the base model's own.
    """

    def __init__(self, folder: Path, digest: str, precision: str) -> None:
        self.digest = digest
        self.tokenizer = load_tokenizer(folder)
        self._model = load_base(folder, precision)
        self._adapters: set[str] = set()
        self._active: str | None = None
        self._numbers = itertools.count(1)

    @property
    def adapters(self) -> frozenset[str]:
        """Names of the adapters that are held."""
        return frozenset(self._adapters)

    def add(self, folder: Path) -> str:
        """Hold another adapter; returns the name to ask for it by."""
        # A name of our own: a module's name may not hold a dot, which a version may.
        name = f"adapter{next(self._numbers)}"
        self._model = with_adapter(self._model, folder, name)
        self._adapters.add(name)
        if self._active is None:  # PEFT switches on the first adapter, and no later one
            self._active = name
        return name

    def remove(self, name: str) -> None:
        """Free an adapter."""
        self._adapters.remove(name)
        if not self._adapters:
            self._model = self._model.unload()  # the bare base model again
            self._active = None
            return
        if name == self._active:  # PEFT would choose another one itself
            self._activate(next(iter(self._adapters)))
        self._model.delete_adapter(name)

    @contextlib.contextmanager
    def speaking_as(self, name: str | None) -> Generator[Any]:
        """The model with this adapter switched on, or with none."""
        if name is None and self._adapters:
            with self._model.disable_adapter():
                yield self._model
            return
        if name is not None and name != self._active:
            self._activate(name)
        yield self._model

    def _activate(self, name: str) -> None:
        self._model.set_adapter(name, inference_mode=True)
        self._active = name
