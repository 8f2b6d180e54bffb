"""Whether what arrived in a gateway's memory is the version that was approved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import safetensors.torch

from sluice.errors import IntegrityError
from sluice.lake import Lake
from sluice.serving.pointer import Served
from sluice.training.artifact import TrainedModel
from sluice.training.base_model import CODE_OR_PICKLE
from sluice.training.probe import largest_difference

_tensors: Any = safetensors.torch  # typed in part only
# Share of the largest logit. The same machine gives the same bits with the same number of threads;
# another number of threads moved fp32 logits by 2e-6 of it (135M parameters), and bf16 holds 8
# digits. An adapter or a base that is not the right one moves them by far more.
NOISE = {"fp32": 1e-4, "bf16": 2**-6}


def verify_bytes(lake: Lake, served: Served) -> TrainedModel:
    """Compare a version's files with its digest, and refuse what could run code when read.

    Raises:
        IntegrityError: they differ, are missing, or there is pickle or Python among them.
    """
    try:
        lake.verify(served.ref)
        facts = TrainedModel.read(lake.path(served.ref))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise IntegrityError(
            f"{served.folder}: its manifest or files cannot be read ({type(error).__name__}). "
            "Nothing was loaded; run the recipe again to rebuild it."
        ) from error
    folder = lake.path(served.ref)
    refused = [s for s in CODE_OR_PICKLE if s != ".py" or not facts.remote_code]
    unsafe = sorted(p.name for p in folder.rglob("*") if p.suffix in refused)
    if unsafe:
        raise IntegrityError(
            f"{served.folder} holds {len(unsafe)} files that can run code when they are read "
            f"({', '.join(unsafe[:3])}). Only safetensors and JSON are loaded; train again."
        )
    return facts


def require_trained(model: Any, tokenizer: Any, probe: Path, precision: str) -> None:
    """Compare what a loaded version computes with what it computed when its training ended.

    Raises:
        IntegrityError: its logits differ by more than rounding does.
    """
    saved = _tensors.load_file(str(probe))
    largest = max(float(logits.abs().max()) for logits in saved.values())
    difference = largest_difference(model, tokenizer, probe)
    if not difference <= NOISE[precision] * largest:  # NaN is not
        raise IntegrityError(
            "The loaded version does not compute what was trained: its logits differ by up to "
            f"{difference:.3g}, where the largest is {largest:.3g}. Nothing was changed. Check "
            "that base and versions of torch, transformers and peft are those of the training."
        )
