"""Tiny random models in the exact form of real ones, built in a second, for tests that load models.

`build_tiny_base` writes a folder as a recipe's `model.base` may name it: a two-layer Llama with a
byte-level tokenizer (any text, Chinese too) and a ChatML template. `build_tiny_family` does the
same for each of `FAMILIES`. `build_tiny_model` writes a
trained model into a lake: a LoRA adapter whose random weights are strong enough that each seed
answers differently.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from sluice.lake import Lake
from sluice.refs import ModelRef
from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER, TrainedModel
from sluice.training.base_model import resolve_base
from sluice.training.probe import probe_logits

CONTEXT = 512
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHATML = (
    "{% for message in messages %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'}}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXTS = [
    "system user assistant How long may I return a tent? You may return it within sixty days.",
    "Our shop is open from nine to six. The boots are in stock in sizes 38 to 46.",
    "帐篷可以在六十天内退货。请问有四十二码的登山鞋吗？有现货，明天发出。",
]

_GROUPED = {"num_key_value_heads": 2}
_HEADS = {**_GROUPED, "head_dim": 8}
_LATENT_HEADS = {  # DeepSeek's multi-head latent attention
    "num_key_value_heads": 4,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
}
_TWO_EXPERTS_OF_FOUR = {"num_experts_per_tok": 2, "moe_intermediate_size": 16}
# By model type: what the family's own configuration needs beside the sizes that all have.
FAMILIES: dict[str, dict[str, Any]] = {
    "qwen2": _GROUPED,
    "qwen3": _HEADS,
    "qwen3_moe": {**_HEADS, **_TWO_EXPERTS_OF_FOUR, "num_experts": 4},
    "llama": _GROUPED,
    "glm": _HEADS,
    "glm4": _HEADS,
    "mistral": _HEADS,
    "mixtral": {**_GROUPED, "num_experts_per_tok": 2, "num_local_experts": 4},
    "falcon": {"new_decoder_architecture": True, "num_kv_heads": 2},
    "deepseek_v3": {
        **_LATENT_HEADS,
        **_TWO_EXPERTS_OF_FOUR,
        "n_routed_experts": 4,
        "n_group": 2,
        "topk_group": 1,
        "first_k_dense_replace": 1,
    },
    "gemma": {"num_key_value_heads": 1, "head_dim": 8},
    "gemma2": {**_HEADS, "sliding_window": 64},
    "gemma3_text": {**_HEADS, "sliding_window": 64},
    "phi": {"num_key_value_heads": 4},
    "phi3": _GROUPED,
    "smollm3": _GROUPED,
}


def build_tiny_base(folder: Path) -> Path:
    """Write a base model; returns its folder. Equal on every call."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        initializer_range=0.4,  # large: answers then depend on the question, not on one token
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def build_tiny_family(family: str, folder: Path) -> Path:
    """Write a random base model of one of `FAMILIES`, of its real class; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT,
        "initializer_range": 0.2,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    configs: Any = CONFIG_MAPPING
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = AutoModelForCausalLM.from_config(
            configs[family](**{**sizes, **FAMILIES[family]})
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


CARRIED_CODE = '''"""A model class that transformers does not have: the folder carries it."""

from transformers import LlamaConfig, LlamaForCausalLM


class CarriedConfig(LlamaConfig):
    model_type = "carried"


class CarriedForCausalLM(LlamaForCausalLM):
    config_class = CarriedConfig

    def forward(self, *args, **kwargs):
        return super().forward(*args, **kwargs)
'''


def build_tiny_carried(folder: Path) -> Path:
    """Write a base model whose class is Python code in its own folder; returns its folder."""
    build_tiny_family("llama", folder)
    (folder / "modeling_tiny.py").write_text(CARRIED_CODE)
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "CarriedConfig", "AutoModelForCausalLM": "CarriedForCausalLM"}
    config["model_type"] = "carried"
    config["architectures"] = ["CarriedForCausalLM"]
    config["auto_map"] = {name: f"modeling_tiny.{cls}" for name, cls in classes.items()}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def build_tiny_model(
    lake: Lake,
    base: Path,
    *,
    seed: int,
    system_prompt: str | None = None,
    extra: dict[str, bytes] | None = None,
) -> ModelRef:
    """Write a trained model into a lake. `extra` adds files of any name, for tests of refusal."""
    resolved = resolve_base(str(base), None, lake.root.parent / "cache")
    facts = TrainedModel(
        base=str(base),
        revision=None,
        base_digest=resolved.digest,
        method="lora",
        precision="fp32",
        system_prompt=system_prompt,
        dataset_digest="0" * 64,
        recipe_digest="0" * 64,
        rows=1,
    )
    with lake.aside() as folder:
        _write_adapter(folder, base, seed)
        tokenizer: Any = AutoTokenizer.from_pretrained(base, local_files_only=True)
        tokenizer.save_pretrained(folder / TOKENIZER)
        facts.write(folder)
        for name, content in (extra or {}).items():
            (folder / name).write_bytes(content)
        return lake.commit(
            folder,
            "models",
            f"tiny-{seed}",
            lambda uri, digest: ModelRef(uri, digest, str(base), "lora"),
        )


def _tokenizer() -> Any:
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    inner.train_from_iterator(TEXTS, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def _write_adapter(folder: Path, base: Path, seed: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        bare: Any = LlamaForCausalLM.from_pretrained(base)
        model: Any = get_peft_model(
            bare, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
        )
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weights, std=0.3)
    model.save_pretrained(folder / ADAPTER)
    tokenizer: Any = AutoTokenizer.from_pretrained(base, local_files_only=True)
    save_file(probe_logits(model.eval(), tokenizer), folder / PROBE)
