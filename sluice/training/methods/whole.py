"""Weights of the base itself that are trained: all of them, the embeddings, or the head.

While they are trained they are fp32 whatever the model computes in: a step of 1e-5 of a weight
is lost when it is added in bf16, which holds 8 binary digits.
"""

from __future__ import annotations

from typing import Any

import torch

from sluice.recipe import TrainingSection

_SERVED_AS = "served_as"  # a parameter's attribute: its type before and after training


def parts_to_train(model: Any, settings: TrainingSection) -> tuple[list[str], bool]:
    """Names of the modules that `hybrid` trains whole, and whether one matrix is both of them.

    Where embeddings and head are one matrix, naming either trains it for both.
    """
    embeddings, head = model.get_input_embeddings(), model.get_output_embeddings()
    if head.weight is embeddings.weight:
        return [_name(model, embeddings)], True
    parts = {"embeddings": embeddings, "head": head}
    return [_name(model, parts[part]) for part in sorted(set(settings.fully_trained))], False


def _name(model: Any, module: Any) -> str:
    return next(name for name, found in model.named_modules() if found is module)


def widen(model: Any) -> None:
    """Make all parameters fp32, and remember what they were."""
    for parameter in model.parameters():
        if parameter.dtype == torch.bfloat16:
            setattr(parameter, _SERVED_AS, parameter.dtype)
            parameter.data = parameter.data.float()


def narrow(model: Any) -> None:
    """Round the parameters that `widen` changed to what they were: the model as it is served."""
    for parameter in model.parameters():
        served: torch.dtype | None = getattr(parameter, _SERVED_AS, None)
        if served is not None:
            parameter.data = parameter.data.to(served)
