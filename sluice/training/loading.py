"""Load a base model, its tokenizer and adapters: the same way for training, scoring and serving."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import peft
import torch
import transformers

from sluice.training.artifact import ADAPTER, WEIGHTS, TrainedModel

# These are typed in part only.
AutoModelForCausalLM: Any = transformers.AutoModelForCausalLM
AutoTokenizer: Any = transformers.AutoTokenizer
PeftModel: Any = peft.PeftModel
BF16_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16"})


def chosen_precision(precision: str) -> str:
    """`fp32` or `bf16`; `auto` is bf16 where the hardware computes in it, else fp32."""
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return "bf16" if _cpu_flags() & BF16_CPU_FLAGS else "fp32"


def _cpu_flags() -> set[str]:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return set()
    line = next((x for x in info.read_text().splitlines() if x.startswith("flags")), "")
    return set(line.split())


def use_threads(threads: int | None) -> int:
    """Set the number of CPU threads, and return it. None: the cores this process may use."""
    count = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(count)
    return count


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer, padding on the left so that a batch generates like single rows."""
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(folder: Path, precision: str) -> Any:
    """A causal language model in evaluation mode. `precision` is `fp32` or `bf16`."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype=dtype, local_files_only=True, use_safetensors=True
    )
    return model.eval()


def with_adapter(base: Any, adapter: Path, name: str) -> Any:
    """Put an adapter on a base model, or a further one beside those it has; returns the model.

    The adapter is loaded but not made active where the model already has one: call
    `model.set_adapter(name)`.
    """
    if isinstance(base, peft.PeftModel):
        cast("Any", base).load_adapter(str(adapter), adapter_name=name, local_files_only=True)
        return base
    model = PeftModel.from_pretrained(base, str(adapter), adapter_name=name, local_files_only=True)
    return model.eval()


def load_trained(folder: Path, base_folder: Path, facts: TrainedModel) -> Any:
    """A trained model in evaluation mode, as it was trained and as it is served.

    Args:
        folder: the model's folder in the lake.
        base_folder: its base on this machine; not read where the method trained all weights.
        facts: its `model.json`.
    """
    if (folder / WEIGHTS).is_dir():
        return load_base(folder / WEIGHTS, facts.precision)
    return with_adapter(load_base(base_folder, facts.precision), folder / ADAPTER, "default")
