"""A fingerprint of what a model computes: its logits on a few fixed prompts.

Saved when training ends; whoever loads the model again (registry, gateway) recomputes it. Equal
numbers mean that adapter, base and tokenizer came back together; adapters that a save corrupts
silently (mlflow#23761) are caught here and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from sluice.errors import IntegrityError

_tensors: Any = safetensors.torch  # typed in part only
PROMPTS = (
    "How do I return a pair of boots that I bought last week?",
    "请问退货的运费由谁承担？大概几天可以退款？",
    "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n",
)


def probe_logits(model: Any, tokenizer: Any) -> dict[str, torch.Tensor]:
    """Last-position logits (float32, one vector of vocabulary size for each fixed prompt)."""
    logits: dict[str, torch.Tensor] = {}
    for number, prompt in enumerate(PROMPTS):
        inputs = tokenizer(prompt, return_tensors="pt").to(model.device)
        with torch.no_grad():
            out = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        logits[f"prompt_{number}"] = out.logits[0, -1].float().cpu().contiguous()
    return logits


def largest_difference(model: Any, tokenizer: Any, probe: Path) -> float:
    """The largest absolute difference between a model's logits now and those that were saved.

    NaN if any of them is NaN, and infinite if they are not logits of the same prompts.
    """
    saved: dict[str, torch.Tensor] = _tensors.load_file(str(probe))
    now = probe_logits(model, tokenizer)
    shapes = {name: logits.shape for name, logits in saved.items()}
    if shapes != {name: logits.shape for name, logits in now.items()}:
        return float("inf")
    # torch's maximum keeps a NaN; Python's drops one that is not first.
    return float(torch.stack([(now[name] - saved[name]).abs().max() for name in now]).max())


def require_same(model: Any, tokenizer: Any, probe: Path, where: str) -> None:
    """Compare a reloaded model with the trained one.

    Raises:
        IntegrityError: any logit differs.
    """
    difference = largest_difference(model, tokenizer, probe)
    if difference != 0.0:  # NaN differs too
        raise IntegrityError(
            f"The model reloaded from {where} is not the one that was trained: its logits differ "
            f"by up to {difference:.3g} on {len(PROMPTS)} prompts. It was not promoted. Check that "
            "base, adapter and library versions are those of the training run."
        )
