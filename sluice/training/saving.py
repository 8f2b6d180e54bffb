"""Leave a finished model in its folder, and prove that it comes back as it was."""

from __future__ import annotations

import copy
import dataclasses
import warnings
from pathlib import Path
from typing import Any, cast

import accelerate  # pyright: ignore[reportMissingTypeStubs]
import safetensors.torch
import torch

from sluice.errors import TrainingError
from sluice.training.artifact import ADAPTER, ADAPTER_WEIGHTS, PROBE, TOKENIZER, WEIGHTS
from sluice.training.fast.inner import inner_model
from sluice.training.loading import load_again, load_tokenizer
from sluice.training.methods.apply import adapter_tensors
from sluice.training.methods.catalogue import METHODS
from sluice.training.methods.residual import as_ordinary
from sluice.training.methods.whole import narrow
from sluice.training.probe import probe_logits
from sluice.training.request import TrainingRequest

# These are typed in part only.
_accelerate: Any = accelerate
_tensors: Any = safetensors.torch
# A reloaded model computes the same bits, but for two methods. PiSSA was trained over a base that
# lacks its largest singular values and is served over the whole one: in fp32 that is another order
# of sums; in bf16 that base was rounded. AdaLoRA's ranks that were set to zero are taken out, and
# smaller matrices may be summed in another order. The share of the largest logit that may be
# between them:
_ANOTHER_ORDER = frozenset({"pissa", "adalora"})
RELOADED_TOLERANCE = {"fp32": 1e-4, "bf16": 0.1}


def save_model(
    model: Any, tokenizer: Any, request: TrainingRequest, out: Path, *, let_go: bool = False
) -> None:
    """Write adapter or weights, tokenizer with its template, and the probe of what was written.

    The model is loaded once more from what was written. Equal models leave equal bytes: no paths,
    no times. With `let_go`, the model in memory has no weights any more when this returns: they
    are freed first, so that two of its size need not fit.

    Raises:
        TrainingError: the model computes NaN or infinity, or what comes back is another model.
    """
    model = _plain(model)
    trained = probe_logits(model, tokenizer)
    _require_finite(trained)
    spec, settings = METHODS[request.settings.method], request.settings
    if spec.kept == "weights":
        model.save_pretrained(str(out / WEIGHTS), safe_serialization=True)
    else:
        _save_adapter(model, request.base, out / ADAPTER)
    tokenizer.save_pretrained(str(out / TOKENIZER))
    precision = "bf16" if any(p.dtype == torch.bfloat16 for p in model.parameters()) else "fp32"
    device = model.device
    if let_go:
        _free(model)
    again = load_again(
        out,
        Path(request.base_folder),
        precision,
        quantization=settings.quantization if spec.quantised else None,
        trust_remote_code=request.remote_code,
    )
    kept = load_tokenizer(out / TOKENIZER, trust_remote_code=request.remote_code)
    found = probe_logits(again, kept)
    _tensors.save_file(found, str(out / PROBE))
    allowed = RELOADED_TOLERANCE[precision] if settings.method in _ANOTHER_ORDER else 0.0
    # A GPU rounds the last digits otherwise: compared where it was trained.
    beside = found if device == again.device else probe_logits(again.to(device), kept)
    _require_equal(trained, beside, allowed)


def _free(model: Any) -> None:
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.new_empty(0)


def _plain(model: Any) -> Any:
    # Without what distributed and mixed-precision training put around it, as it will be served.
    model = _accelerate.utils.extract_model_from_parallel(
        model, keep_fp32_wrapper=False, keep_torch_compile=False
    )
    narrow(model)
    inner = inner_model(model)
    if inner.config._attn_implementation.startswith("flash_attention"):
        inner.set_attn_implementation("sdpa")  # as it will be loaded
    return model.eval()


def _save_adapter(model: Any, base: str, folder: Path) -> None:
    with warnings.catch_warnings():
        # AdaLoRA may leave a layer without any rank: PEFT then takes it for a broken save.
        warnings.filterwarnings("ignore", message=".*have invalid shape")
        tensors = adapter_tensors(model)
    tensors, config = as_ordinary(model, tensors, model.peft_config["default"])
    folder.mkdir(parents=True)
    found = {name: tensors[name].detach().cpu().contiguous().clone() for name in sorted(tensors)}
    _tensors.save_file(found, str(folder / ADAPTER_WEIGHTS), metadata={"format": "pt"})
    _portable(config, base).save_pretrained(str(folder))


def _portable(peft_config: Any, base: str) -> Any:
    config = copy.copy(peft_config)
    config.inference_mode = True
    # The path of this machine means nothing elsewhere, and would change the digest.
    config.base_model_name_or_path = base
    for field in dataclasses.fields(config):
        value: Any = getattr(config, field.name)
        if isinstance(value, set):  # its order differs by process
            setattr(config, field.name, sorted(cast("set[str]", value)))
    return config


def _require_finite(logits: dict[str, torch.Tensor]) -> None:
    if not all(bool(torch.isfinite(values).all()) for values in logits.values()):
        raise TrainingError(
            "The trained model computes NaN or infinity. No model was kept. Lower "
            "`training.learning_rate` (LoRA: 1e-4 to 2e-4), or set `training.precision: fp32`."
        )


def _require_equal(
    trained: dict[str, torch.Tensor], again: dict[str, torch.Tensor], allowed: float
) -> None:
    largest = max(float(logits.abs().max()) for logits in trained.values())
    apart = max(float((again[name] - trained[name]).abs().max()) for name in trained)
    if not apart <= allowed * largest:  # NaN is not
        raise TrainingError(
            f"The model that was saved is not the one that was trained: its logits differ by up "
            f"to {apart:.3g} (the largest is {largest:.3g}). No model was kept. Train again with "
            "`training.method: lora`, and report this with the versions of torch and peft."
        )
