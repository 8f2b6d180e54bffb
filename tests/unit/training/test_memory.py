"""The memory that a training takes: by hand for known models, and measured on a small one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import build_tiny_base

from docs.make_memory_table import tables
from sluice.errors import BaseModelError
from sluice.recipe import TrainingSection
from sluice.training.loading import load_base
from sluice.training.memory import estimate, trained_parameters
from sluice.training.model_shape import ModelShape, shape_of

GB = 1e9
# Llama 2 7B: its paper's and its config.json's sizes.
LLAMA = ModelShape(6_738_415_616, 32, 4096, 4096, 11008, 32000, 2 * 32000 * 4096)


def section(**settings: Any) -> TrainingSection:
    return TrainingSection(**{"batch_size": 1, **settings})


def of(settings: TrainingSection, **more: Any) -> Any:
    return estimate(LLAMA, settings, **{"precision": "bf16", "longest": 2048, **more})


def test_the_states_of_a_whole_model_are_weights_gradients_and_two_numbers_more() -> None:
    full = of(section(method="full"))
    assert full.weights == full.gradients == pytest.approx(26.95 * GB, rel=1e-3)
    assert full.optimizer == 2 * full.weights
    rounded = of(section(method="full"), optimizer="adamw_8bit")
    assert rounded.optimizer == pytest.approx(13.69 * GB, rel=1e-3)


def test_mixed_precision_under_deepspeed_is_the_papers_sixteen_bytes() -> None:
    launcher = {"kind": "accelerate", "processes": 1, "strategy": "deepspeed", "zero_stage": 1}
    parts = of(section(method="full", launcher=launcher))
    states = parts.weights + parts.gradients + parts.optimizer
    assert states / LLAMA.parameters == pytest.approx(16.0)


def test_lora_on_all_layers_has_the_size_that_peft_reports() -> None:
    # PEFT prints 39,976,960 trainable parameters for Llama 2 7B, r=16, all seven linear maps.
    assert trained_parameters(LLAMA, section(method="lora", rank=16)) == 39_976_960


def test_four_bits_leave_a_quarter_of_the_weights() -> None:
    lora, qlora = of(section(method="lora")), of(section(method="qlora"))
    assert 0.25 < qlora.weights / lora.weights < 0.31
    assert qlora.optimizer == lora.optimizer


@pytest.mark.parametrize(
    ("stage", "shared"),
    [(1, {"optimizer"}), (2, {"optimizer", "gradients"})],
)
def test_each_stage_of_zero_shares_more(stage: int, shared: set[str]) -> None:
    launcher = {"kind": "accelerate", "processes": 8, "strategy": "deepspeed", "zero_stage": stage}
    one = of(section(method="full", launcher={**launcher, "processes": 1}))
    eight = of(section(method="full", launcher=launcher))
    for part in ("weights", "gradients", "optimizer"):
        share = 8 if part in shared else 1
        assert getattr(eight, part) == pytest.approx(getattr(one, part) / share)


def test_fsdp_shares_all_and_holds_two_layers_whole() -> None:
    launcher = {"kind": "accelerate", "processes": 8, "strategy": "fsdp"}
    one, eight = of(section(method="full")), of(section(method="full", launcher=launcher))
    whole_layers = 2 / 32 * one.weights * 7 / 8
    assert eight.weights == pytest.approx(one.weights / 8 + whole_layers)
    away = of(section(method="full", launcher={**launcher, "offload": True}))
    assert away.optimizer == away.gradients == 0.0
    assert away.offloaded == pytest.approx(one.weights / 2)  # 4 parts over 8 processes


def test_the_estimate_of_activations_is_what_autograd_keeps(tmp_path: Path) -> None:
    folder = build_tiny_base(tmp_path / "base")
    model = load_base(folder, "fp32").train()
    shape = shape_of(folder)
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    kept: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    tokens = 2 * 96
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        alive = model.model(input_ids=torch.arange(tokens).reshape(2, 96) % 300)
    assert alive is not None
    guess = estimate(shape, section(batch_size=2), precision="fp32", longest=96).activations
    assert guess == pytest.approx(sum(kept.values()), rel=0.25)


def test_checkpointing_keeps_the_input_of_each_layer_and_one_layer_whole() -> None:
    kept = of(section()).activations
    twice = of(section(), checkpointing=True).activations
    assert twice < kept / 8
    assert twice == pytest.approx(2048 * 2 * (32 * 4096 + 8 * 4096 + 2 * 4096 + 4 * 11008))


def test_a_folder_that_says_no_sizes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BaseModelError, match="sizes cannot be read"):
        shape_of(tmp_path)


def test_the_page_on_many_machines_shows_these_figures() -> None:
    page = (Path(__file__).parents[3] / "docs" / "many_machines.md").read_text(encoding="utf-8")
    for table in tables().split("\n\n"):
        assert table in page, f"docs/many_machines.md should hold:\n{table}"
