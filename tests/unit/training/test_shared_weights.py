from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_versions import build_version, build_wide_base

from sluice.lake import Lake
from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER
from sluice.training.loading import load_base, load_tokenizer
from sluice.training.methods.catalogue import METHODS
from sluice.training.probe import largest_difference, probe_logits
from sluice.training.shared_weights import SharedWeights

ADAPTERS = [name for name, spec in METHODS.items() if spec.kept == "adapter" and name != "qlora"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    build_wide_base(folder / "base")
    return folder


def folder_of(home: Path, method: str, seed: int, **settings: Any) -> Path:
    lake = Lake(home / "lake")
    return lake.path(build_version(lake, home / "base", method, seed=seed, **settings))


def memory(model: Any) -> set[int]:
    return {weights.data_ptr() for weights in model.parameters()}


@pytest.mark.parametrize(
    ("quantization", "methods"), [(None, ADAPTERS), ("nf4", ["qlora"] * 2), ("int8", ["qlora"] * 2)]
)
def test_all_adapters_over_one_base_compute_what_each_does_alone(
    home: Path, quantization: str | None, methods: list[str]
) -> None:
    shared = SharedWeights(home / "base", "fp32", quantization, remote_code=False)
    more = {"quantization": quantization} if quantization else {}
    folders = [folder_of(home, method, seed, **more) for seed, method in enumerate(methods)]
    models = [shared.adapted(folder / ADAPTER) for folder in folders]
    bare = shared.bare()
    for _ in range(2):  # again, after all of them have computed something
        for folder, model in zip(folders, models, strict=True):
            assert (
                largest_difference(model, load_tokenizer(folder / TOKENIZER), folder / PROBE) == 0
            )
    assert all(memory(bare) <= memory(model) for model in models)
    alone = load_base(home / "base", "fp32", quantization=quantization)
    tokenizer = load_tokenizer(home / "base")
    expected, found = probe_logits(alone, tokenizer), probe_logits(bare, tokenizer)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
