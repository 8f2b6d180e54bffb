"""Leave a finished model in its folder, and prove that it comes back as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from sluice.errors import TrainingError
from sluice.training.artifact import ADAPTER, PROBE, TOKENIZER, WEIGHTS
from sluice.training.probe import probe_logits
from sluice.training.request import TrainingRequest

tensors: Any = safetensors.torch  # typed in part only


def save_model(model: Any, tokenizer: Any, request: TrainingRequest, out: Path) -> None:
    """Write adapter or weights, tokenizer with its template, and the probe.

    Raises:
        TrainingError: the model computes NaN or infinity.
    """
    model.eval()
    if request.settings.method == "full":
        model.save_pretrained(str(out / WEIGHTS), safe_serialization=True)
    else:
        _save_adapter(model, request, out)
    tokenizer.save_pretrained(str(out / TOKENIZER))
    logits = probe_logits(model, tokenizer)
    if not all(bool(torch.isfinite(values).all()) for values in logits.values()):
        raise TrainingError(
            "The trained model computes NaN or infinity. No model was kept. Lower "
            "`training.learning_rate` (LoRA: 1e-4 to 2e-4), or set `training.precision: fp32`."
        )
    tensors.save_file(logits, str(out / PROBE))


def _save_adapter(model: Any, request: TrainingRequest, out: Path) -> None:
    # The path of this machine means nothing elsewhere, and would change the digest.
    config = model.peft_config["default"]
    config.base_model_name_or_path = request.base
    config.target_modules = sorted(config.target_modules)  # a set: its order differs by process
    model.save_pretrained(str(out / ADAPTER), safe_serialization=True)
    (out / ADAPTER / "README.md").unlink(missing_ok=True)  # an unfilled template
