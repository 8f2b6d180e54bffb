"""A tiny base, and one training of each method on it, for all tests in this folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tiny_methods import Bench, Trained


@pytest.fixture(scope="session")
def bench(tiny_base: Path) -> Bench:
    """A tiny base with sixteen rows to train on."""
    # Imported here: most tests of this folder need neither torch nor PEFT.
    from tiny_methods import Bench, records
    from transformers.utils import logging

    from sluice.training.loading import load_tokenizer
    from sluice.training.rows import tokenised

    logging.disable_progress_bar()
    tokenizer = load_tokenizer(tiny_base)
    rows, _ = tokenised(records(16), tokenizer, None, None)
    return Bench(tiny_base, tokenizer, rows)


@pytest.fixture(scope="session")
def trained(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """A finished training of a method; each is trained once for all tests."""
    from tiny_methods import settings_of

    found: dict[str, Trained] = {}

    def get(method: str) -> Trained:
        if method not in found:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                folder = tmp_path_factory.mktemp(method)
                found[method] = bench.train(folder, settings_of(method))
        return found[method]

    return get
