from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_models import build_tiny_base

from sluice.errors import IntegrityError
from sluice.training.loading import load_base, load_tokenizer
from sluice.training.probe import largest_difference, probe_logits, require_same


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    base = build_tiny_base(tmp_path_factory.mktemp("tiny") / "base")
    model, tokenizer = load_base(base, "fp32"), load_tokenizer(base)
    probe = base.parent / "probe.safetensors"
    save_file(probe_logits(model, tokenizer), probe)
    return model, tokenizer, probe


def test_an_equal_model_passes(tiny: tuple[Any, Any, Path]) -> None:
    model, tokenizer, probe = tiny
    require_same(model, tokenizer, probe, "MLflow")
    assert largest_difference(model, tokenizer, probe) == 0.0


def test_one_weight_changed_by_a_thousandth_is_refused(tiny: tuple[Any, Any, Path]) -> None:
    model, tokenizer, probe = tiny
    weights = model.model.layers[0].mlp.down_proj.weight
    with torch.no_grad():
        weights[0, 0] += 1e-3
    try:
        with pytest.raises(IntegrityError, match="reloaded from MLflow is not the one"):
            require_same(model, tokenizer, probe, "MLflow")
    finally:
        with torch.no_grad():
            weights[0, 0] -= 1e-3


@pytest.mark.parametrize("number", [0, 1, 2])
def test_nan_in_any_prompt_is_refused(
    tiny: tuple[Any, Any, Path], tmp_path: Path, number: int
) -> None:
    model, tokenizer, _ = tiny
    logits = probe_logits(model, tokenizer)
    logits[f"prompt_{number}"][3] = float("nan")
    save_file(logits, tmp_path / "probe.safetensors")
    with pytest.raises(IntegrityError, match="nan"):
        require_same(model, tokenizer, tmp_path / "probe.safetensors", "MLflow")


def test_a_probe_of_other_prompts_is_refused(tiny: tuple[Any, Any, Path], tmp_path: Path) -> None:
    model, tokenizer, _ = tiny
    save_file({"logits": torch.zeros(3)}, tmp_path / "probe.safetensors")
    with pytest.raises(IntegrityError, match="inf"):
        require_same(model, tokenizer, tmp_path / "probe.safetensors", "MLflow")
