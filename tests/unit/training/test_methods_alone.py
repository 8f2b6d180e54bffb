"""What holds for one training method or some of them, on a tiny model."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_methods import (
    HIDDEN,
    LAYERS,
    LINEAR,
    LORA,
    MARKS,
    RANK,
    TRAINABLE,
    VECTORS,
    VOCABULARY,
    Bench,
    Trained,
    apart,
    settings_of,
)

from sluice.errors import TrainingError
from sluice.training.artifact import ADAPTER, ADAPTER_WEIGHTS, PROBE, WEIGHTS
from sluice.training.loading import load_base, with_adapter
from sluice.training.methods.apply import adapter_tensors, prepared
from sluice.training.methods.catalogue import METHODS
from sluice.training.methods.merging import MERGED_TOLERANCE, merged
from sluice.training.probe import probe_logits, require_same

pytestmark = MARKS


def test_adalora_leaves_the_rank_that_the_recipe_says(
    trained: Callable[[str], Trained],
) -> None:
    folder = trained("adalora").folder / ADAPTER
    kept = json.loads((folder / "adapter_config.json").read_text())["rank_pattern"]
    assert sum(sum(mask) for mask in kept.values()) == RANK * LAYERS * len(LINEAR)
    tensors = load_file(folder / "adapter_model.safetensors")
    assert sum(t.numel() for n, t in tensors.items() if "lora_E" in n) == RANK * LAYERS * 7


def test_pissa_begins_as_the_base_and_is_saved_as_lora_of_twice_the_rank(
    bench: Bench, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    begun = prepared(bench.request(tmp_path, settings_of("pissa")), "fp32", bench.tokenizer)
    base = load_base(bench.base, "fp32")
    tokenizer = bench.tokenizer
    assert apart(probe_logits(base, tokenizer), probe_logits(begun.eval(), tokenizer)) < 1e-5
    config = json.loads((trained("pissa").folder / ADAPTER / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["init_lora_weights"]) == (8, 16, True)


def test_prompt_tuning_starts_from_a_text(bench: Bench, tmp_path: Path) -> None:
    settings = settings_of("prompt", prompt_text="退货")
    model = prepared(bench.request(tmp_path, settings), "fp32", bench.tokenizer)
    ids = bench.tokenizer("退货", add_special_tokens=False)["input_ids"]
    words = model.word_embeddings.weight[(ids * VECTORS)[:VECTORS]]
    assert torch.equal(model.prompt_encoder["default"].embedding.weight, words)


def test_embeddings_and_head_that_are_one_matrix_stay_one(bench: Bench, tmp_path: Path) -> None:
    config = json.loads((bench.base / "config.json").read_text())
    tied = tmp_path / "tied"
    base = load_base(bench.base, "fp32")
    base.config.tie_word_embeddings = True
    base.tie_weights()
    base.save_pretrained(tied)
    found = bench.train(tmp_path, settings_of("hybrid", epochs=1), base=tied)
    assert config["tie_word_embeddings"] is False
    assert found.parameters == LORA + VOCABULARY * HIDDEN
    model = bench.again(found, tied)
    require_same(model, bench.tokenizer, found.folder / PROBE, "the lake")
    before = probe_logits(model, bench.tokenizer)
    whole = merged(model)
    assert whole.get_input_embeddings().weight is whole.get_output_embeddings().weight
    assert apart(before, probe_logits(whole, bench.tokenizer)) <= MERGED_TOLERANCE["fp32"]


@pytest.mark.parametrize("method", ["full", "hybrid", "adalora", "pissa", "qlora", "prefix"])
def test_in_bf16_what_comes_back_is_what_was_trained(
    method: str, bench: Bench, tmp_path: Path
) -> None:
    """`save_model` itself compares; whole weights are trained in fp32 and saved in bf16."""
    found = bench.train(tmp_path, settings_of(method, precision="bf16", epochs=1))
    assert found.parameters == TRAINABLE[method]
    require_same(bench.again(found), bench.tokenizer, found.folder / PROBE, "the lake")
    if method == "full":
        weights = load_file(found.folder / WEIGHTS / "model.safetensors")
        assert {tensor.dtype for tensor in weights.values()} == {torch.bfloat16}


def test_a_validation_in_between_does_not_stop_qlora_from_learning(
    bench: Bench, tmp_path: Path
) -> None:
    """bitsandbytes would repack its weights on some processors, into a form without gradients."""
    model = prepared(bench.request(tmp_path, settings_of("qlora")), "fp32", bench.tokenizer)
    first = probe_logits(model.eval(), bench.tokenizer)
    model.train()(input_ids=torch.arange(8).unsqueeze(0)).logits.sum().backward()
    inner = model.base_model.model.model.layers[0].mlp.down_proj.lora_B["default"].weight
    assert inner.grad.abs().sum() > 0
    assert apart(first, probe_logits(model.eval(), bench.tokenizer)) == 0.0


def test_a_model_that_comes_back_another_is_refused(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_adapter(*_: Any, **__: Any) -> Any:
        return load_base(bench.base, "fp32")

    monkeypatch.setattr("sluice.training.saving.load_again", without_adapter)
    with pytest.raises(TrainingError, match="is not the one that was trained"):
        bench.train(tmp_path, settings_of("lora", epochs=1))


def test_adapters_of_one_kind_share_a_base(bench: Bench, trained: Callable[[str], Trained]) -> None:
    shared = load_base(bench.base, "fp32")
    for method in ("lora", "dora", "pissa"):
        assert METHODS[trained(method).settings.method].shares_base
        shared = with_adapter(shared, trained(method).folder / ADAPTER, f"a_{method}")
    for method in ("dora", "lora", "pissa"):
        shared.set_adapter(f"a_{method}", inference_mode=True)
        alone = probe_logits(bench.again(trained(method)), bench.tokenizer)
        assert apart(alone, probe_logits(shared.eval(), bench.tokenizer)) == 0.0


def test_the_catalogue_is_read_without_torch() -> None:
    code = (
        "import sys; from sluice.training.methods.catalogue import METHODS; "
        "from sluice.recipe.training import USUAL_RATES; "
        "assert METHODS.keys() == USUAL_RATES.keys(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("method", ["lora", "adalora", "vera"])
def test_over_a_bf16_base_an_adapter_comes_back_with_all_its_digits(
    method: str, bench: Bench, tmp_path: Path
) -> None:
    """PEFT reads AdaLoRA's cut matrices into the base's number type."""
    settings = settings_of(method, precision="bf16", epochs=1)
    found = bench.train(tmp_path, settings)
    saved = load_file(found.folder / ADAPTER / ADAPTER_WEIGHTS)
    assert all(bool((t != t.bfloat16()).any()) for n, t in saved.items() if "lora_A" in n)
    request = bench.request(tmp_path, settings, start=found.folder)
    for model in (bench.again(found), prepared(request, "bf16", bench.tokenizer)):
        tensors = adapter_tensors(model)
        assert all(torch.equal(tensors[name], kept) for name, kept in saved.items())
