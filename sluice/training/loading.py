"""Load a base model, its tokenizer and adapters: the same way for training, scoring and serving."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, cast

import peft
import safetensors.torch
import torch
import transformers

from sluice.errors import BaseModelError
from sluice.training.artifact import ADAPTER, ADAPTER_WEIGHTS, WEIGHTS, TrainedModel

# These are typed in part only.
AutoModelForCausalLM: Any = transformers.AutoModelForCausalLM
AutoTokenizer: Any = transformers.AutoTokenizer
BitsAndBytesConfig: Any = transformers.BitsAndBytesConfig
PeftModel: Any = peft.PeftModel
_tensors: Any = safetensors.torch


def use_threads(threads: int | None) -> int:
    """Set the number of CPU threads, and return it. None: the cores this process may use."""
    count = threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(count)
    return count


def load_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> Any:
    """The tokenizer, padding on the left so that a batch generates like single rows."""
    # Said in any case: left out, transformers asks at the terminal whether code may run.
    tokenizer = AutoTokenizer.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=trust_remote_code
    )
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(
    folder: Path,
    precision: str,
    *,
    quantization: str | None = None,
    trust_remote_code: bool = False,
    attention: str = "sdpa",
) -> Any:
    """A causal language model in evaluation mode.

    Args:
        folder: its weights and configuration.
        precision: `fp32` or `bf16`: what it computes in, and keeps its weights in unless they are
            quantised.
        quantization: `nf4` or `int8`: how its linear layers but the head are stored; None: as
            numbers of `precision`.
        trust_remote_code: whether code in the folder may run.
        attention: transformers' name of an implementation; a model that has no `sdpa` takes what
            it has.

    Raises:
        BaseModelError: this machine cannot store weights in that number of bits.
    """
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    options: dict[str, Any] = {
        "dtype": dtype,
        "local_files_only": True,
        "use_safetensors": True,
        "trust_remote_code": trust_remote_code,
    }
    if attention != "sdpa":  # which is transformers' own choice, where a model has it
        options["attn_implementation"] = attention
    if quantization is None:
        return AutoModelForCausalLM.from_pretrained(str(folder), **options).eval()
    options["quantization_config"] = _in_bits(quantization, dtype)
    try:
        model = AutoModelForCausalLM.from_pretrained(str(folder), **options)
        return _as_trained(model).eval()
    except (ImportError, NotImplementedError, RuntimeError) as error:
        raise BaseModelError(
            f"bitsandbytes could not store the weights of {folder.name} as {quantization} here "
            f"({type(error).__name__}: {str(error).splitlines()[0][:200]}). Set `training.method: "
            "lora`, or install a bitsandbytes that has kernels for this machine."
        ) from error


def _as_trained(model: Any) -> Any:
    import bitsandbytes  # here, because only a quantised base needs its seconds

    from sluice.training.methods.eight_bits import compute_in_full

    layers: Any = bitsandbytes.nn  # typed in part only
    for layer in model.modules():
        if isinstance(layer, layers.Linear8bitLt):
            compute_in_full(layer)
        elif isinstance(layer, layers.Linear4bit):
            # On processors with AVX512-BF16 it would pack its weights anew at the first evaluation,
            # round their scales, and compute in bf16 without gradients from then on: a training
            # would learn nothing more in layers below, and another model would be served.
            layer.support_avx512bf16_for_cpu = False
    return model


def _in_bits(quantization: str, dtype: torch.dtype) -> Any:
    if quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,  # QLoRA paper, section 3: 0.37 bits less for each weight
        bnb_4bit_compute_dtype=dtype,
    )


def with_adapter(base: Any, adapter: Path, name: str) -> Any:
    """Put an adapter on a base model, or a further one beside those it has; returns the model.

    The adapter is loaded but not made active where the model already has one: call
    `model.set_adapter(name)`.
    """
    with warnings.catch_warnings():
        # AdaLoRA's pattern has another form than LoRA's, for which PEFT takes it when it looks.
        warnings.filterwarnings("ignore", message="The following rank_pattern keys did not match")
        if isinstance(base, peft.PeftModel):
            cast("Any", base).load_adapter(str(adapter), adapter_name=name, local_files_only=True)
            undo_rounding(base, adapter, name)
            return base
        model = PeftModel.from_pretrained(
            base, str(adapter), adapter_name=name, local_files_only=True
        )
        undo_rounding(model, adapter, name)
    return model.eval()


def undo_rounding(model: Any, adapter: Path, name: str) -> None:
    """Give AdaLoRA's tensors back the digits that PEFT takes from them over a bf16 base.

    It makes room for the ranks that are left in the base's number type, and only then reads them.
    """
    if not getattr(model.peft_config[name], "rank_pattern", None):
        return
    parameters: dict[str, Any] = dict(model.named_parameters())
    with torch.no_grad():
        for key, tensor in _tensors.load_file(str(adapter / ADAPTER_WEIGHTS)).items():
            if (parameter := parameters.get(f"{key}.{name}")) is not None:
                parameter.copy_(tensor)


def load_trained(folder: Path, base_folder: Path, facts: TrainedModel) -> Any:
    """A trained model in evaluation mode, as it was trained and as it is served.

    Args:
        folder: the model's folder in the lake.
        base_folder: its base on this machine; not read where the method trained all weights.
        facts: its `model.json`.
    """
    return load_again(
        folder,
        base_folder,
        facts.precision,
        quantization=facts.quantization,
        trust_remote_code=facts.remote_code,
    )


def load_again(
    folder: Path,
    base_folder: Path,
    precision: str,
    *,
    quantization: str | None = None,
    trust_remote_code: bool = False,
) -> Any:
    """`load_trained` for a folder whose `model.json` is not written yet."""
    if (folder / WEIGHTS).is_dir():
        return load_base(folder / WEIGHTS, precision, trust_remote_code=trust_remote_code)
    base = load_base(
        base_folder,
        precision,
        quantization=quantization,
        trust_remote_code=trust_remote_code,
    )
    return with_adapter(base, folder / ADAPTER, "default")
