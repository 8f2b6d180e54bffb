"""A fingerprint of what a model computes: its logits on a few fixed prompts.

Saved when training ends; whoever loads the model again (registry, gateway) recomputes it. Equal
numbers mean that adapter, base and tokenizer came back together; adapters that a save corrupts
silently (mlflow#23761) are caught here and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from sluice.errors import IntegrityError

PROMPTS = (
    "How do I return a pair of boots that I bought last week?",
    "请问退货的运费由谁承担？大概几天可以退款？",
    "<|im_start|>user\nHello!<|im_end|>\n<|im_start|>assistant\n",
)


def probe_logits(model: Any, tokenizer: Any) -> dict[str, torch.Tensor]:
    """Last-position logits (float32, one vector of vocabulary size for each fixed prompt)."""
    logits: dict[str, torch.Tensor] = {}
    for number, prompt in enumerate(PROMPTS):
        inputs = tokenizer(prompt, return_tensors="pt")
        with torch.no_grad():
            out = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"])
        logits[f"prompt_{number}"] = out.logits[0, -1].float().contiguous()
    return logits


def largest_difference(model: Any, tokenizer: Any, probe: Path) -> float:
    """The largest absolute difference between a model's logits now and those that were saved."""
    saved = load_file(str(probe))
    now = probe_logits(model, tokenizer)
    return max(float((now[name] - saved[name]).abs().max()) for name in saved)


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
