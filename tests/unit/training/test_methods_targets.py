"""The layers that adapters go to, in architectures that name them each in their own way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from peft import get_peft_model

from sluice.errors import TrainingError
from sluice.recipe import TrainingSection
from sluice.training.methods.apply import config_of
from sluice.training.methods.targets import key_value_layers, linear_layers, named_layers

SPLIT = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]
FUSED = ["down_proj", "gate_up_proj", "o_proj", "qkv_proj"]
HALF_FUSED = ["down_proj", "gate_up_proj", "k_proj", "o_proj", "q_proj", "v_proj"]
OLD = ["dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value"]
GPT2 = ["c_attn", "c_fc", "c_proj"]
KV, QKV = ["k_proj", "v_proj"], ["query_key_value"]
# Architecture: all linear layers but the head; keys and values; second feed-forward layer.
FAMILIES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "Llama": (SPLIT, KV, ["down_proj"]),
    "Qwen2": (SPLIT, KV, ["down_proj"]),
    "Qwen3": (SPLIT, KV, ["down_proj"]),
    "Mistral": (SPLIT, KV, ["down_proj"]),
    "Gemma": (SPLIT, KV, ["down_proj"]),
    "Gemma2": (SPLIT, KV, ["down_proj"]),
    "Phi3": (FUSED, ["qkv_proj"], ["down_proj"]),
    "Glm": (HALF_FUSED, KV, ["down_proj"]),
    "Glm4": (HALF_FUSED, KV, ["down_proj"]),
    "GPTNeoX": (OLD, QKV, ["dense_4h_to_h"]),
    "Falcon": (OLD, QKV, ["dense_4h_to_h"]),
    "Bloom": (OLD, QKV, ["dense_4h_to_h"]),
    "Phi": (["dense", "fc1", "fc2", "k_proj", "q_proj", "v_proj"], KV, ["fc2"]),
    "OPT": (["fc1", "fc2", "k_proj", "out_proj", "q_proj", "v_proj"], KV, ["fc2"]),
    "GPT2": (GPT2, ["c_attn"], ["mlp.c_proj"]),
}
families = pytest.mark.parametrize("family", list(FAMILIES))
METHODS = ["lora", "dora", "adalora", "vera", "ia3"]


def tiny(family: str) -> Any:
    """A random model of two layers, sixteen numbers wide."""
    config: Any = getattr(transformers, f"{family}Config")()
    wanted = {
        "vocab_size": 32,
        "hidden_size": 16,
        "intermediate_size": 40,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "ffn_dim": 40,
        "ffn_hidden_size": 40,
        "word_embed_proj_dim": 16,
        "max_position_embeddings": 32,
        "pad_token_id": 0,
    }
    for name, value in wanted.items():
        if hasattr(config, name) and not isinstance(getattr(type(config), name, None), property):
            setattr(config, name, value)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return transformers.AutoModelForCausalLM.from_config(config)


def covered(model: Any, names: list[str]) -> set[str]:
    return {
        found
        for found, _ in model.named_modules()
        if any(found == name or found.endswith(f".{name}") for name in names)
    }


@families
def test_all_linear_layers_but_the_head_are_found(family: str) -> None:
    model = tiny(family)
    expected = FAMILIES[family][0]
    assert linear_layers(model) == expected
    head = model.get_output_embeddings()
    reached = [model.get_submodule(name) for name in covered(model, expected)]
    assert head not in reached
    assert len(reached) == 2 * len(expected) + 2 * (family == "GPT2")


@families
def test_keys_values_and_the_second_feed_forward_layer_are_found(family: str) -> None:
    model = tiny(family)
    _, keys_values, second = FAMILIES[family]
    found = key_value_layers(model)
    assert covered(model, found[0]) == covered(model, keys_values)
    assert covered(model, found[1]) == covered(model, second)


@families
@pytest.mark.parametrize("method", METHODS)
def test_a_method_works_on_every_family(family: str, method: str) -> None:
    model = tiny(family)
    settings = TrainingSection.model_validate({"method": method, "rank": 2, "alpha": 4})
    adapted: Any = get_peft_model(model, config_of(model, settings))
    ids = torch.tensor([[1, 2, 3, 4]])
    adapted(input_ids=ids, labels=ids).loss.backward()
    moved = [p for p in adapted.parameters() if p.requires_grad and p.grad is not None]
    assert any(bool(p.grad.abs().sum() > 0) for p in moved)


def test_a_layer_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(TrainingError, match=r"1 of 2 .*: c_attn\. It has down_proj, gate_proj"):
        named_layers(tiny("Llama"), ("q_proj", "c_attn"))


def test_an_embedding_is_no_linear_layer() -> None:
    with pytest.raises(TrainingError, match="embed_tokens"):
        named_layers(tiny("Llama"), ("embed_tokens",))


@pytest.mark.parametrize(("family", "head"), [("Llama", "lm_head"), ("GPT2", "lm_head")])
def test_the_head_is_refused(family: str, head: str) -> None:
    with pytest.raises(TrainingError, match=f"names the head \\({head}\\)"):
        named_layers(tiny(family), ("q_proj", head))


def test_a_head_named_like_a_layer_is_left_out() -> None:
    model = tiny("Llama")
    model.model.layers[0].mlp.lm_head = torch.nn.Linear(16, 16)
    assert "model.layers.0.mlp.lm_head" in linear_layers(model)
    assert "lm_head" not in linear_layers(model)


def test_ia3_takes_the_recipes_layers_and_knows_which_are_feed_forward() -> None:
    model = tiny("Llama")
    settings = TrainingSection(method="ia3", target_modules=("v_proj", "down_proj"))
    config = config_of(model, settings)
    assert (config.target_modules, config.feedforward_modules) == (
        {"v_proj", "down_proj"},
        {"down_proj"},
    )


def test_ia3_says_when_it_cannot_tell_the_layers() -> None:
    model = tiny("Llama")
    for layer in model.model.layers:
        layer.self_attn = torch.nn.Linear(16, 16)
    with pytest.raises(TrainingError, match=r"could not be told apart in LlamaForCausalLM"):
        key_value_layers(model)
